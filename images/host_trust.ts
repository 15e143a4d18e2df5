import { join } from "node:path";
import { ImageBuildError } from "./image_build_error.ts";

const hostBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
];
const guestBundle = "/etc/ssl/certs/ca-certificates.crt";

/** What a guest that trusts the host's authorities needs in its environment. */
export const hostTrustEnv: Record<string, string> = {
  DENO_TLS_CA_STORE: "system",
  NODE_EXTRA_CA_CERTS: guestBundle,
  SSL_CERT_FILE: guestBundle,
};

export async function readHostBundle(): Promise<string> {
  for (const path of hostBundles) {
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new ImageBuildError(
    `this host has no bundle of certificate authorities (looked for ${hostBundles.join(", ")}); ` +
      `install ca-certificates, or set the image's trust to "debian"`,
  );
}

/**
 * Gives the tree the host's bundle. Authorities that Debian does not ship are also put where
 * `update-ca-certificates` looks, or the next upgrade of ca-certificates in the guest would drop them.
 */
export async function writeHostTrust(root: string, hostBundle: string): Promise<void> {
  const bundlePath = join(root, guestBundle);
  const known = new Set(splitBundle(await Deno.readTextFile(bundlePath)));
  const own = splitBundle(hostBundle).filter((certificate) => !known.has(certificate));
  const folder = join(root, "usr/local/share/ca-certificates");
  await Deno.mkdir(folder, { recursive: true });
  for (const [index, certificate] of own.entries()) {
    await Deno.writeTextFile(join(folder, `paddock-host-${index}.crt`), `${certificate}\n`);
  }
  // Removed first: the file shares its inode with the base tree.
  await Deno.remove(bundlePath);
  await Deno.writeTextFile(bundlePath, hostBundle, { mode: 0o644 });
}

function splitBundle(text: string): string[] {
  const pattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
  return [...text.matchAll(pattern)].map((match) => match[0].replaceAll("\r", ""));
}

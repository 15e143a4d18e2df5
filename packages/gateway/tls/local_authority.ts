import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { PaddockError } from "@paddock/protocol";
import type { KeyPair } from "./certificate.ts";
import { writeWhole } from "./secret_files.ts";

const YEAR_MS = 365 * 24 * 60 * 60_000;
const LIFE_MS = 10 * YEAR_MS;

/** The node's own certificate authority: made once, then only read. */
export async function openLocalAuthority(
  directory: string,
  now = Date.now(),
): Promise<KeyPair & { path: string; made: boolean }> {
  const path = join(directory, "ca.pem");
  const keyPath = join(directory, "ca-key.pem");
  if (existsSync(path)) return { ...readAuthority(path, keyPath, now), path, made: false };
  // A key without its certificate is left by a start that ended between the two: nobody can
  // trust that authority yet, so it is made anew.
  const { makeAuthority } = await import("./issue_certificate.ts");
  const name = `Paddock on ${hostname().replace(/[^\w.-]/g, "").slice(0, 40) || "this host"}`;
  const authority = await makeAuthority(name, new Date(now + LIFE_MS));
  writeWhole(keyPath, authority.key, 0o600);
  writeWhole(path, authority.cert, 0o644);
  return { ...authority, path, made: true };
}

function readAuthority(path: string, keyPath: string, now: number): KeyPair {
  const broken = (what: string, cause?: unknown) =>
    new PaddockError("INVALID_SERVER_CONFIG", {
      message: `${path}: ${what}`,
      field: "ingress.tls",
      hint: `Put ca.pem and ca-key.pem back from a copy, or remove both: the next start makes a ` +
        `new authority, which visitors must trust anew.`,
      cause,
    });
  let pair: KeyPair;
  try {
    pair = { cert: readFileSync(path, "utf8"), key: readFileSync(keyPath, "utf8") };
  } catch (cause) {
    throw broken(`it or its key ${keyPath} cannot be read`, cause);
  }
  let certificate: X509Certificate;
  let matches: boolean;
  try {
    certificate = new X509Certificate(pair.cert);
    matches = certificate.checkPrivateKey(createPrivateKey(pair.key));
  } catch (cause) {
    throw broken("it or its key is damaged", cause);
  }
  if (!matches) throw broken(`the key in ${keyPath} is another certificate's`);
  if (!certificate.ca) throw broken("this is not a certificate authority");
  if (Date.parse(certificate.validTo) <= now) {
    throw broken(`the authority expired on ${certificate.validTo}`);
  }
  return pair;
}

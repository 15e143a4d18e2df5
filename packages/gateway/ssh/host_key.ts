import { writeWhole } from "../tls/secret_files.ts";
import { createHash } from "node:crypto";
import { chmodSync, readFileSync } from "node:fs";
import { PaddockError } from "@paddock/protocol";
import ssh2 from "ssh2";

/** What a client of SSH knows the gateway by. */
export interface HostKey {
  /** OpenSSH's format. */
  privateKey: string;
  /** As in a `known_hosts` file, behind the host: `ssh-ed25519 AAAA…`. */
  publicKey: string;
  /** As `ssh` shows it: `SHA256:…`. */
  fingerprint: string;
}

const KEY_ATTEMPTS = 16;

/** The host key of a data directory, made at the first start: clients remember it. */
export function ensureHostKey(dataDir: string): HostKey {
  const path = `${dataDir}/gateway/ssh_host_ed25519_key`;
  let privateKey = readIfThere(path);
  if (privateKey === undefined) {
    privateKey = newPrivateKey();
    writeWhole(path, privateKey, 0o600);
  } else {
    chmodSync(path, 0o600);
  }
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error || !parsed.isPrivateKey()) {
    throw new PaddockError("INVALID_SERVER_CONFIG", {
      message:
        `${path} is not an SSH host key. Delete it for a new one, which clients do not know.`,
      cause: parsed,
    });
  }
  const key = parsed.getPublicSSH();
  return {
    privateKey,
    publicKey: `${parsed.type} ${key.toString("base64")}`,
    fingerprint: `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`,
  };
}

const generate = () => ssh2.utils.generateKeyPairSync("ed25519", { comment: "paddock" }).private;

/**
 * Where the public half begins with a zero byte, one key in 256, ssh2 1.17 leaves that out and makes
 * a file that nobody can read.
 */
export function newPrivateKey(make: () => string = generate): string {
  for (let attempt = 0; attempt < KEY_ATTEMPTS; attempt++) {
    const key = make();
    if (!(ssh2.utils.parseKey(key) instanceof Error)) return key;
  }
  throw new PaddockError("INTERNAL_ERROR", {
    message: `No usable SSH host key was made in ${KEY_ATTEMPTS} attempts.`,
  });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

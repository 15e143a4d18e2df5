import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeWhole } from "./tls/secret_files.ts";

const KEY_BYTES = 32;

/** The key that signed links are made with; kept, so that links outlive a restart. */
export function ensureLinkKey(path: string): Uint8Array {
  let text = "";
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
  const key = Buffer.from(text, "hex");
  if (key.length === KEY_BYTES) return key;
  // Nothing but links hangs on it: a damaged one is replaced, and links must be signed again.
  const made = randomBytes(KEY_BYTES);
  writeWhole(path, made.toString("hex") + "\n", 0o600);
  return made;
}

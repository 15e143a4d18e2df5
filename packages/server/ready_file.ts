import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** What a program on this host needs to use the server. */
export interface ReadyInfo {
  api: string;
  token: string;
  baseDomain: string;
  /** Where preview URLs are served: `https://`, the base domain, the port; null: nowhere. */
  ingress: string | null;
  /** PEM file of the authority that visitors on this host must trust; null: they need not. */
  ca: string | null;
  /** Where SSH is served, with the port unless it is 22; null: nowhere. */
  ssh: string | null;
  pid: number;
}

/** Appears whole or not at all, and is readable by its owner alone: it holds a token. */
export function writeReadyFile(path: string, info: ReadyInfo): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${info.pid}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, JSON.stringify(info, null, 2) + "\n", { mode: 0o600, flag: "wx" });
  renameSync(temporary, path);
}

/** Leaves a file alone that another server has written meanwhile. */
export function removeReadyFile(path: string, info: ReadyInfo): void {
  try {
    if (JSON.parse(readFileSync(path, "utf8")).token === info.token) rmSync(path);
  } catch {
    // Somebody else removed or replaced it.
  }
}

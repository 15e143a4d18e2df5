import { accessSync, constants, existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isBun, isDeno, readEnv } from "./_environment.ts";
import { LocalDaemonError } from "./errors.ts";

export interface PaddockCommand {
  file: string;
  args: string[];
}

/** The `paddock` command: PADDOCK_BIN, else the one installed beside this library, else of the PATH. */
export function findPaddockCommand(): PaddockCommand {
  const configured = readEnv("PADDOCK_BIN");
  if (configured) return asCommand(configured);
  for (const folder of [dirname(realpathSync(fileURLToPath(import.meta.url))), ownFolder()]) {
    const found = lookUpwards(folder);
    if (found) return asCommand(found);
  }
  const onPath = lookOnPath("paddock");
  if (onPath) return asCommand(onPath);
  throw new LocalDaemonError(
    "no endpoint is configured and the `paddock` command is not installed here",
    {
      hint:
        "npm install @paddock/cli, or set PADDOCK_BIN to the command, or PADDOCK_ENDPOINT and " +
        "PADDOCK_TOKEN to use a server",
    },
  );
}

/** Where this module was found before links were followed: npm may link it into a project. */
function ownFolder(): string {
  return dirname(fileURLToPath(import.meta.url));
}

function lookUpwards(start: string): string | undefined {
  for (let folder = start;; folder = dirname(folder)) {
    for (
      const candidate of [
        join(folder, "node_modules", "@paddock", "cli", "bin", "paddock.mjs"),
        join(folder, "packages", "cli", "bin", "paddock.mjs"),
      ]
    ) {
      if (existsSync(candidate)) return candidate;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

function lookOnPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    // A relative entry would run whatever lies in the current directory.
    if (!folder.startsWith("/")) continue;
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not there.
    }
  }
  return undefined;
}

function asCommand(path: string): PaddockCommand {
  if (!/\.[cm]?js$/.test(path)) return { file: path, args: [] };
  if (!isDeno && !isBun) return { file: process.execPath, args: [path] };
  const node = lookOnPath("node");
  if (node) return { file: node, args: [path] };
  return { file: process.execPath, args: isDeno ? ["run", "-A", path] : [path] };
}

import { readFile } from "node:fs/promises";
import { SetupError } from "./setup_error.mjs";

/**
 * What this host is. Only what no step can change is refused here; a missing package is the business
 * of the step that needs it.
 */
export async function checkHost() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) throw new SetupError(`Node 20 or newer is needed, this is ${process.version}`);
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new SetupError(
      `Paddock runs on Linux x86_64, and this is ${process.platform} ${process.arch}`,
    );
  }
  const release = parseOsRelease(await readFile("/etc/os-release", "utf8").catch(() => ""));
  return {
    id: release.ID ?? "unknown",
    codename: release.VERSION_CODENAME ?? "",
    name: release.PRETTY_NAME ?? "an unknown distribution",
    isRoot: process.getuid() === 0,
  };
}

export function parseOsRelease(text) {
  const pairs = text.split("\n").map((line) => line.match(/^([A-Z_]+)=(.*)$/)).filter(Boolean);
  return Object.fromEntries(
    pairs.map(([, key, value]) => [key, value.trim().replace(/^(["'])(.*)\1$/, "$2")]),
  );
}

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatBytes } from "../format.ts";
import { type Check, missing, ok, warning } from "./check.ts";
import { runProgram } from "./run_program.ts";

export async function storageChecks(dataDir: string, signal: AbortSignal): Promise<Check[]> {
  const folder = nearestFolder(dataDir);
  return [
    await disk(folder, dataDir),
    await reflink(folder, signal),
    loopDevices(),
    await program("mkfs.ext4", ["-V"], "e2fsprogs", signal),
    await program("mmdebstrap", ["--version"], "mmdebstrap", signal),
    await program("tcc", ["-v"], "tcc", signal),
  ];
}

/** The data directory itself, or what will hold it: doctor creates nothing that stays. */
function nearestFolder(path: string): string {
  let folder = path;
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

async function disk(folder: string, dataDir: string): Promise<Check> {
  const { statfs } = await import("node:fs/promises");
  const { bavail, blocks, bsize } = await statfs(folder);
  const text = `${formatBytes(bavail * bsize)} of ${
    formatBytes(blocks * bsize)
  } free for ${dataDir}`;
  // The guest image with its base tree takes about 1.5 GiB while it is built.
  if (bavail * bsize >= 4 * 1024 ** 3) return ok("disk", text);
  return warning("disk", text, "free some space, or choose another --data-dir");
}

async function reflink(folder: string, signal: AbortSignal): Promise<Check> {
  let directory: string;
  try {
    directory = await Deno.makeTempDir({ dir: folder, prefix: ".paddock-doctor-" });
  } catch (error) {
    return warning("reflink", `cannot write to ${folder}: ${(error as Error).message}`);
  }
  try {
    const source = join(directory, "a");
    await Deno.writeTextFile(source, "reflink?");
    const { success } = await runProgram(
      "cp",
      ["--reflink=always", source, join(directory, "b")],
      signal,
    );
    return ok(
      "reflink",
      success
        ? "yes: volumes and snapshots share what is the same in them"
        : "no: a volume from a snapshot is a whole (sparse) copy of it",
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function loopDevices(): Check {
  if (existsSync("/dev/loop-control")) return ok("loop", "loop devices available");
  return missing("loop", "no /dev/loop-control", "modprobe loop");
}

async function program(
  name: string,
  args: string[],
  debianPackage: string,
  signal: AbortSignal,
): Promise<Check> {
  const { found, output } = await runProgram(name, args, signal);
  if (found) return ok(name, /\d+(\.\d+)+/.exec(output)?.[0] ?? "installed");
  return missing(name, "not installed", `apt-get install -y ${debianPackage}`);
}

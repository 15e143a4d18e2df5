import { createHash } from "node:crypto";
import { runCommand } from "@paddock/driver";

/** What a checkpoint's files were when it was complete. */
export interface CheckpointFile {
  path: string;
  bytes: number;
  sha256: string;
}

const READ_BYTES = 1024 * 1024;
const BLOCK_BYTES = 512;
const SPARSE_DIGEST_MS = 120_000;

/** All files below a directory, with their digests. Holes are read as what they stand for. */
export async function describeFiles(
  directory: string,
  signal: AbortSignal,
): Promise<CheckpointFile[]> {
  const found: CheckpointFile[] = [];
  for (const path of await listFiles(directory, "")) {
    found.push({ path, ...await digestOf(`${directory}/${path}`, signal) });
  }
  return found;
}

/** What differs from the description, in one sentence; undefined when nothing does. */
export async function findDamage(
  directory: string,
  files: CheckpointFile[],
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const { path, bytes, sha256 } of files) {
    try {
      const { size } = await Deno.stat(`${directory}/${path}`);
      if (size !== bytes) return `${path} has ${size} bytes and should have ${bytes}`;
      const now = await digestOf(`${directory}/${path}`, signal);
      if (now.sha256 !== sha256) return `${path} is not what was written`;
    } catch (error) {
      signal.throwIfAborted();
      return `${path} cannot be read: ${(error as Error).message}`;
    }
  }
}

async function listFiles(directory: string, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(directory)) {
    const path = `${prefix}${entry.name}`;
    if (entry.isDirectory) found.push(...await listFiles(`${directory}/${entry.name}`, `${path}/`));
    else if (entry.isFile) found.push(path);
  }
  return found.sort();
}

/** Of the file's data and where it lies: disks are mostly holes, and reading those takes minutes. */
async function sparseDigest(path: string, signal: AbortSignal): Promise<string> {
  const archive = ["tar", "--create", "--sparse", "--format=gnu", "--mtime=@0", "--owner=0"];
  const named = ["--group=0", "--numeric-owner", "--absolute-names", "--transform=s/.*/file/"];
  const script = 'set -o pipefail; "$@" | sha256sum';
  const run = await runCommand(
    ["bash", "-c", script, "bash", ...archive, ...named, "--mode=0600", path],
    { signal, deadlineMs: SPARSE_DIGEST_MS },
  );
  if (!run.ok) throw new Error(`${path} could not be read: ${run.stderr}`);
  return run.stdout.slice(0, 64);
}

async function digestOf(
  path: string,
  signal: AbortSignal,
): Promise<{ bytes: number; sha256: string }> {
  const { size, blocks } = await Deno.stat(path);
  if (blocks !== null && blocks * BLOCK_BYTES < size / 2) {
    return { bytes: size, sha256: await sparseDigest(path, signal) };
  }
  using file = await Deno.open(path, { read: true });
  const hash = createHash("sha256");
  const buffer = new Uint8Array(READ_BYTES);
  let bytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const read = await file.read(buffer);
    if (read === null) break;
    hash.update(buffer.subarray(0, read));
    bytes += read;
  }
  return { bytes, sha256: hash.digest("hex") };
}

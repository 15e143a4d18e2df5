import { runCommand } from "./run_command.ts";

/**
 * Makes a sparse image of `bytes` with an empty ext4 in it: about 150 KB on disk, 5 ms.
 *
 * No journal and next to no inodes: the filesystem holds one file (what the guest wrote), and dies
 * with the sandbox, so there is nothing that a journal could save.
 */
export async function createDiskImage(
  path: string,
  bytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  try {
    await file.truncate(bytes);
  } finally {
    file.close();
  }
  const made = await runCommand([
    "mkfs.ext4",
    "-q",
    "-F",
    ...["-m", "0"],
    ...["-N", "64"],
    ...["-O", "^has_journal,^resize_inode"],
    ...["-E", "lazy_itable_init=1,nodiscard"],
    path,
  ], { signal });
  if (!made.ok) throw new Error(`mkfs.ext4 failed: ${made.stderr}`);
}

import { runCommand } from "../run_command.ts";

/**
 * Puts an ext4 for a virtual machine into a sparse image, which keeps its size: one with inodes for
 * what a guest writes, where the image of a gVisor machine holds a single file. Takes 20 ms for 10 GiB,
 * and less than 1 MB on the disk.
 */
export async function formatDisk(path: string, signal: AbortSignal): Promise<void> {
  const made = await runCommand([
    ...["mkfs.ext4", "-q", "-F", "-m", "0"],
    ...["-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard"],
    path,
  ], { signal });
  if (!made.ok) throw new Error(`mkfs.ext4 failed: ${made.stderr}`);
}

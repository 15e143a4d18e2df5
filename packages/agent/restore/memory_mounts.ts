import type { Libc } from "../identity/libc.ts";

const MOUNTS = ["/tmp", "/dev/shm"];

/**
 * Files in memory may take half of it, as where the machine is made for its size. A restored machine has
 * the mounts of the machine that was saved, which may have had another size: a mount of the right one
 * goes over each that nothing is kept in. What is in one stays, with the bound it had. Needs root.
 */
export function resizeMemoryMounts(
  libc: Libc | undefined,
  memoryBytes: number,
  log: (text: string) => void,
): void {
  if (!libc) return;
  for (const path of MOUNTS) {
    try {
      if (!Deno.readDirSync(path)[Symbol.iterator]().next().done) continue;
      if (libc.mountTmpfs(path, `mode=1777,size=${Math.floor(memoryBytes / 2)}`) === 0) continue;
      log(`${path} keeps the size it has: another cannot be mounted over it`);
    } catch (error) {
      log(`${path} keeps the size it has: ${error}`);
    }
  }
}

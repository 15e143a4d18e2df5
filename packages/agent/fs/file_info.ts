import type { MethodOutput } from "@paddock/protocol";

/**
 * The wire knows no missing field: filesystems that keep no time of birth report the time of change,
 * and numbers that the platform does not give are 0.
 */
export function completeFileInfo(info: Deno.FileInfo): MethodOutput<"stat"> {
  const changed = info.ctime ?? info.mtime ?? new Date(0);
  return {
    isFile: info.isFile,
    isDirectory: info.isDirectory,
    isSymlink: info.isSymlink,
    size: info.size,
    mtime: info.mtime ?? changed,
    atime: info.atime ?? changed,
    birthtime: info.birthtime ?? changed,
    ctime: changed,
    mode: info.mode ?? 0,
    dev: info.dev,
    ino: info.ino ?? 0,
    nlink: info.nlink ?? 0,
    uid: info.uid ?? 0,
    gid: info.gid ?? 0,
    rdev: info.rdev ?? 0,
    blksize: info.blksize ?? 0,
    blocks: info.blocks ?? 0,
    isBlockDevice: info.isBlockDevice ?? false,
    isCharDevice: info.isCharDevice ?? false,
    isFifo: info.isFifo ?? false,
    isSocket: info.isSocket ?? false,
  };
}

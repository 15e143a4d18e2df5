import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { mostThreads } from "@paddock/driver";
import { type LimitValues, PaddockError } from "@paddock/protocol";

const MiB = 1024 * 1024;

export interface HostRoom {
  diskBytes: number;
  memoryBytes: number;
  /** What the kernel still lets start, of all programs on the host. */
  threads: number;
}

/**
 * Disks, memory and threads of sandboxes are promised, not set aside: they grow as guests use them. So a
 * creation is refused while the host has too little of any left for those that run already: a sentry that cannot
 * start a thread ends with its sandbox.
 */
export async function refuseWithoutRoom(
  directory: string,
  limits: Pick<LimitValues, "hostFreeDiskBytes" | "hostFreeMemoryMb" | "hostFreeThreads">,
  measure: (directory: string) => Promise<HostRoom> = measureRoom,
): Promise<void> {
  const { diskBytes, memoryBytes, threads } = await measure(directory);
  if (diskBytes < limits.hostFreeDiskBytes) {
    throw new PaddockError("CAPACITY_EXHAUSTED", {
      message: `This host has ${inMiB(diskBytes)} of disk left and keeps ` +
        `${inMiB(limits.hostFreeDiskBytes)} free (limits.hostFreeDiskBytes).`,
    });
  }
  if (memoryBytes < limits.hostFreeMemoryMb * MiB) {
    throw new PaddockError("CAPACITY_EXHAUSTED", {
      message: `This host has ${inMiB(memoryBytes)} of memory left and keeps ` +
        `${limits.hostFreeMemoryMb} MiB free (limits.hostFreeMemoryMb).`,
    });
  }
  if (threads < limits.hostFreeThreads) {
    throw new PaddockError("CAPACITY_EXHAUSTED", {
      message:
        `This host can start ${Math.max(0, threads)} more threads (kernel.pid_max) and keeps ` +
        `${limits.hostFreeThreads} of them free (limits.hostFreeThreads).`,
    });
  }
}

/** Throws DISK_FULL when the host has no room for so many bytes beside what it keeps free. */
export async function refuseWithoutDisk(
  directory: string,
  bytes: number,
  { hostFreeDiskBytes }: Pick<LimitValues, "hostFreeDiskBytes">,
): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize - bytes >= hostFreeDiskBytes) return;
  throw new PaddockError("DISK_FULL", {
    message: `This host has ${inMiB(bavail * bsize)} of disk left, keeps ` +
      `${inMiB(hostFreeDiskBytes)} of them free (limits.hostFreeDiskBytes), and the checkpoint ` +
      `needs ${inMiB(bytes)}.`,
  });
}

async function measureRoom(directory: string): Promise<HostRoom> {
  const { bavail, bsize } = await statfs(directory);
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"));
  return {
    diskBytes: bavail * bsize,
    // A kernel that does not tell has no bound here.
    memoryBytes: available ? Number(available[1]) * 1024 : Infinity,
    threads: threadsLeft(),
  };
}

function threadsLeft(): number {
  // Threads that run now, and after the slash all that there are.
  const there = / \d+\/(\d+) /.exec(readFileSync("/proc/loadavg", "utf8"));
  return there ? mostThreads() - Number(there[1]) : Infinity;
}

function inMiB(bytes: number): string {
  return `${Math.floor(bytes / MiB)} MiB`;
}

import { statfs } from "node:fs/promises";
import { type LimitValues, PaddockError } from "@paddock/protocol";

/** Throws DISK_FULL when the host has no room for so many bytes beside what it keeps free. */
export async function refuseWithoutDisk(
  directory: string,
  bytes: number,
  { hostFreeDiskBytes }: Pick<LimitValues, "hostFreeDiskBytes">,
): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (free - bytes >= hostFreeDiskBytes) return;
  throw new PaddockError("DISK_FULL", {
    message: `This host has ${free} bytes of disk left, keeps ${hostFreeDiskBytes} of them free ` +
      `(limits.hostFreeDiskBytes), and the copy needs ${bytes}.`,
  });
}

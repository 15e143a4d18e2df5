const MiB = 1024 * 1024;

/** What the guest's kernel keeps for itself, whatever it has: code, tables, reserves. */
const KERNEL_BYTES = 40 * MiB;
/** And for every page that it manages. */
const KERNEL_SHARE = 1 / 60;

/** How much memory a machine needs for a guest to see `bytes` of it, in whole pages of 2 MiB. */
export function machineBytesFor(bytes: number): number {
  const wanted = (bytes + KERNEL_BYTES) * (1 + KERNEL_SHARE);
  return Math.ceil(wanted / (2 * MiB)) * 2 * MiB;
}

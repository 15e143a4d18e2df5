import type { Libc } from "../identity/libc.ts";

/** Closer than this the clock is left alone: the message itself took a moment. */
const TOLERANCE_MS = 20;

/** Sets the clock of a machine that stood still. gVisor's follows the host's and needs none of it. */
export function setClock(libc: Libc | undefined, time: number): void {
  if (Math.abs(Date.now() - time) <= TOLERANCE_MS) return;
  libc?.setRealtime(time);
}

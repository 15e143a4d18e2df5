import { sleep } from "@paddock/driver";
import type { MachineInPlace } from "./_sandbox_resources.ts";

const WINDOW_MS = 12;
/** Of one processor. An idle agent takes next to nothing. */
const QUIET_SHARE = 0.2;
/** A guest whose programs compute all the time is not waited for any longer. */
const LONGEST_MS = 250;

/**
 * Waits for a window in which the machine does little. A guest that is checkpointed in the middle of
 * something, as an agent that has just lost its clients, now and then crashes when it is restored.
 */
export async function quietMoment(
  { machine, cgroup }: MachineInPlace,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + LONGEST_MS;
  let { cpuMicroseconds: before } = await machine.usage();
  for (let at = performance.now(); at < until;) {
    await sleep(WINDOW_MS, signal);
    const { cpuMicroseconds } = await machine.usage();
    const now = performance.now();
    const quiet = (cpuMicroseconds - before) / 1000 < QUIET_SHARE * (now - at);
    // On a busy host little may be done because there is no processor to do it on.
    if (quiet && !cgroup.isBusy()) return;
    [before, at] = [cpuMicroseconds, now];
  }
}

import type { MachineExit } from "../driver.ts";

const PROGRAM_ENDED = /^paddock: the first program ended with (\d{1,3})\s*$/gm;
const CANNOT_START = /^paddock: the guest cannot start: (.*)$/m;
const PANIC = /Kernel panic - not syncing: (.*)$/m;
const OUT_OF_MEMORY = /Out of memory: Killed process/;

/** SIGKILL, as a shell reports it. */
const KILLED = 137;

/**
 * What a guest said of its own end, on its console. Whoever in the guest is root may write there what
 * init would: this is asked only about machines that have ended, and decides nothing but the reason.
 */
export function guestEnd(
  console: string,
): Omit<MachineExit, "detail"> & { why?: string } | undefined {
  const code = [...console.matchAll(PROGRAM_ENDED)].at(-1)?.[1];
  if (code !== undefined) {
    // The guest's kernel has killed the first program: nothing else sends it that.
    const starved = Number(code) === KILLED && OUT_OF_MEMORY.test(console);
    return { reason: starved ? "out_of_memory" : "guest_exited", code: Number(code) };
  }
  const panic = PANIC.exec(console)?.[1];
  if (panic) {
    const starved = /deadlocked on memory|Out of memory/.test(panic);
    return {
      reason: starved ? "out_of_memory" : "crashed",
      why: `the guest's kernel panicked: ${panic.trim()}`,
    };
  }
  const missing = CANNOT_START.exec(console)?.[1];
  if (missing) return { reason: "crashed", why: `the guest could not start: ${missing.trim()}` };
}

import { setTimeout as delay } from "node:timers/promises";
import { processesOfRun } from "./leftovers.ts";

const killAfterMs = 30_000;

/**
 * Ends what tests of the run that were cut off have left running: what came next would share the host with it.
 * A process that nobody started any more is asked first, as a server takes its machines with it.
 */
export async function endProcesses(runId: string): Promise<void> {
  const left = () => processesOfRun(runId);
  const marked = await left();
  const pids = new Set(marked.map(({ pid }) => pid));
  for (const { pid, parent } of marked) if (!pids.has(parent)) end(pid, "SIGTERM");
  const giveUpAt = Date.now() + killAfterMs;
  while ((await left()).length > 0 && Date.now() < giveUpAt) await delay(200);
  for (const { pid } of await left()) end(pid, "SIGKILL");
}

function end(pid: string, signal: Deno.Signal): void {
  try {
    Deno.kill(Number(pid), signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

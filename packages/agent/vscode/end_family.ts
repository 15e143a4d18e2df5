import { listPids } from "../process/proc.ts";

const HANGUP_MS = 1_000;

/**
 * Ends what an editor has left behind: its terminals lead sessions of their own, and belong to nobody
 * once it is gone. They are known by the variable that all of them inherited.
 */
export async function endFamily(variable: string, value: string): Promise<void> {
  const mark = `${variable}=${value}`;
  if (signalAll(mark, "SIGHUP") === 0) return;
  await new Promise((resolve) => setTimeout(resolve, HANGUP_MS));
  signalAll(mark, "SIGKILL");
}

function signalAll(mark: string, signal: Deno.Signal): number {
  let sent = 0;
  for (const pid of listPids()) {
    try {
      const environment = Deno.readTextFileSync(`/proc/${pid}/environ`);
      if (!environment.split("\0").includes(mark)) continue;
      Deno.kill(pid, signal);
      sent++;
    } catch {
      // Gone, or another user's.
    }
  }
  return sent;
}

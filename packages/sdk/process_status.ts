import type { ChildProcessStatus, Signal } from "./child_process_types.ts";
import type { Connection } from "./connection.ts";

/** Waits for a process of the sandbox to end, and says how it did. */
export async function processStatus(
  connection: Connection,
  process: { pid: number; vscode?: boolean },
): Promise<ChildProcessStatus> {
  const { success, code, signal, oom } = await connection.call("processWait", process);
  return { success, code, signal: signal as Signal | null, oom: oom !== null };
}

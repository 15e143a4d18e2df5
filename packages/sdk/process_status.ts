import type { ChildProcessStatus, Signal } from "./child_process_types.ts";
import { closeCodes } from "@paddock/protocol";
import { ConnectionLostError } from "./errors.ts";
import type { Link } from "./link.ts";
import type { Connection } from "./connection.ts";

/**
 * Waits for a process of the sandbox to end, and says how it did. A connection that the server ended for
 * a checkpoint takes no process with it: with `link` the wait goes on over the next one.
 */
export async function processStatus(
  connection: Connection,
  process: { pid: number; vscode?: boolean },
  link?: Link,
): Promise<ChildProcessStatus> {
  const { success, code, signal, oom } = await wait(connection, process, link);
  return { success, code, signal: signal as Signal | null, oom: oom !== null };
}

async function wait(
  connection: Connection,
  process: { pid: number; vscode?: boolean },
  link: Link | undefined,
) {
  for (let over = connection;; over = await link!.nextConnection()) {
    try {
      return await over.call("processWait", process);
    } catch (error) {
      const cutOff = error instanceof ConnectionLostError &&
        (error.closeCode === closeCodes.comeBack || error.closeCode === closeCodes.paused);
      if (!cutOff || !link) throw error;
    }
  }
}

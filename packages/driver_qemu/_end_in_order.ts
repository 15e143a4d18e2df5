import { type Log, sleep } from "@paddock/driver";
import type { QmpClient } from "./qmp_client.ts";

/** How long a guest may take to write what its volumes have not yet, and how often it is asked to. */
const DEADLINE_MS = 12_000;
const ASK_EVERY_MS = 150;

export interface OrderlyEnd {
  id: string;
  control: QmpClient;
  /** A guest that stands still hears nothing. */
  paused: boolean;
  /** Aborted once the machine has ended. */
  over: AbortSignal;
  log: Log;
}

/**
 * Has the guest write all of its volumes, unmount them and switch itself off. Whoever calls this kills one
 * that does not: its filesystems have journals.
 */
export async function endInOrder({ id, control, paused, over, log }: OrderlyEnd): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  const options = () => ({ deadlineMs: Math.max(1, end - performance.now()), signal: over });
  try {
    if (paused) await control.execute("cont", undefined, options());
    while (performance.now() < end) {
      // The kernel takes every second one for itself, as the beginning of a magic key.
      await control.execute("chardev-send-break", { id: "console" }, options());
      await sleep(ASK_EVERY_MS, over);
    }
    log.warn("the guest did not end in order", { sandbox: id });
  } catch (error) {
    // A QEMU that has ended by itself answers nothing either, a moment before it is known to have.
    if (!over.aborted) log.debug("QEMU does not answer", { sandbox: id, error: String(error) });
  }
}

import { sleep } from "../sleep.ts";
import type { Log } from "../log.ts";

/** How long a guest may take to write what its volumes have not yet, and how often it is asked to. */
const DEADLINE_MS = 12_000;
const ASK_EVERY_MS = 150;

export interface CallOptions {
  deadlineMs: number;
  signal: AbortSignal;
}

export interface OrderlyEnd {
  id: string;
  /** Lets a guest go on that stands still, and hears nothing; left out: it does not. */
  goOn?(options: CallOptions): Promise<unknown>;
  /** Tells the guest to end its machine, in the way that its second stage listens for. */
  wish(options: CallOptions): Promise<unknown>;
  /** Aborted once the machine has ended. */
  over: AbortSignal;
  log: Log;
}

/**
 * Has the guest write all of its volumes, unmount them and end its machine. Whoever calls this kills one
 * that does not: its filesystems have journals.
 */
export async function endInOrder({ id, goOn, wish, over, log }: OrderlyEnd): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  const options = () => ({ deadlineMs: Math.max(1, end - performance.now()), signal: over });
  try {
    await goOn?.(options());
    while (performance.now() < end) {
      await wish(options());
      await sleep(ASK_EVERY_MS, over);
    }
    log.warn("the guest did not end in order", { sandbox: id });
  } catch (error) {
    // A VMM that has ended by itself answers nothing either, a moment before it is known to have.
    if (!over.aborted) log.debug("the VMM does not answer", { sandbox: id, error: String(error) });
  }
}

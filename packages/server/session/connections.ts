import type { EndReason } from "@paddock/engine";
import { closeCodes } from "@paddock/protocol";
import { describeEnd } from "../sandbox/find_sandbox.ts";
import type { Splice } from "./splice.ts";

const TICK_MS = 1_000;

/** All connections between clients and agents, and the one timer that looks after them. */
export class Connections {
  readonly #bySandbox = new Map<string, Set<Splice>>();
  #timer: ReturnType<typeof setInterval> | undefined;

  add(sandboxId: string, splice: Splice): void {
    const splices = this.#bySandbox.get(sandboxId) ?? new Set();
    this.#bySandbox.set(sandboxId, splices.add(splice));
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    splice.done.then(() => {
      splices.delete(splice);
      if (splices.size === 0 && this.#bySandbox.get(sandboxId) === splices) {
        this.#bySandbox.delete(sandboxId);
      }
      if (this.#bySandbox.size === 0) this.#stopTimer();
    });
  }

  sandboxEnded(sandboxId: string, reason: EndReason): void {
    const { code, text } = closeOf(reason);
    for (const splice of this.#bySandbox.get(sandboxId) ?? []) splice.close(code, text);
  }

  /** Ends the connections to a sandbox's agent, and asks the clients to do as the code says. */
  async turnAway(sandboxId: string, code: number, reason: string): Promise<void> {
    const splices = [...this.#bySandbox.get(sandboxId) ?? []];
    await Promise.all(splices.map((splice) => splice.closeInOrder(code, reason)));
  }

  /** Resolves when the last one is gone; a client that does not answer is not waited for long. */
  async closeAll(): Promise<void> {
    const all = [...this.#bySandbox.values()].flatMap((splices) => [...splices]);
    for (const splice of all) splice.close(closeCodes.goingAway, "the server is shutting down");
    await Promise.all(all.map((splice) => splice.done));
  }

  #tick(): void {
    const now = performance.now();
    for (const splices of this.#bySandbox.values()) {
      for (const splice of splices) splice.tick(now);
    }
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** What a client is told when its sandbox ends: asked for, in due time, or an accident. */
export function closeOf(reason: EndReason): { code: number; text: string } {
  const text = `the sandbox has stopped: ${describeEnd(reason)}`;
  if (reason === "killed" || reason === "session_closed") return { code: closeCodes.normal, text };
  if (reason === "timeout" || reason === "node_stopped") {
    return { code: closeCodes.goingAway, text };
  }
  return { code: closeCodes.internalError, text };
}

import type { RunningSandbox } from "@paddock/engine";

/**
 * Session sandboxes created over plain HTTP have no connection yet, and those that were checkpointed
 * have none any more: each is held for a while, until its first connection stands.
 */
export class Graces {
  readonly #held = new Map<string, () => void>();
  readonly #graceMs: number;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  begin(sandbox: RunningSandbox): void {
    const { id } = sandbox.spec;
    const session = sandbox.holdSession();
    this.end(id);
    const timer = setTimeout(() => this.end(id), this.#graceMs);
    this.#held.set(id, () => {
      clearTimeout(timer);
      session.release();
    });
    sandbox.ended.then(() => this.end(id));
  }

  /** Idempotent. */
  end(id: string): void {
    const release = this.#held.get(id);
    this.#held.delete(id);
    release?.();
  }

  close(): void {
    for (const id of [...this.#held.keys()]) this.end(id);
  }
}

import { PaddockError } from "@paddock/protocol";

/** Places for connections to sandboxes: taken before an agent is dialled, so that none is overshot. */
export class SandboxPlaces {
  readonly #max: number;
  readonly #taken = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** A place to be given back once. Throws TOO_MANY_CONNECTIONS. */
  take(sandboxId: string): Disposable {
    const taken = this.#taken.get(sandboxId) ?? 0;
    if (taken >= this.#max) {
      throw new PaddockError("TOO_MANY_CONNECTIONS", {
        message: `A sandbox takes ${this.#max} connections (limits.connectionsPerSandbox).`,
        details: { limit: "connectionsPerSandbox", max: this.#max },
      });
    }
    this.#taken.set(sandboxId, taken + 1);
    return {
      [Symbol.dispose]: () => {
        const left = this.#taken.get(sandboxId)! - 1;
        if (left === 0) this.#taken.delete(sandboxId);
        else this.#taken.set(sandboxId, left);
      },
    };
  }
}

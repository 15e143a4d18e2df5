import { closeCodes, PaddockError } from "@paddock/protocol";
import type { RunningSandbox } from "@paddock/engine";
import type { Graces } from "../sandbox/graces.ts";
import type { Connections } from "./connections.ts";

/** What clients are told before their connections are closed. */
const FAREWELLS = {
  checkpoint: [closeCodes.comeBack, "the sandbox stands still for a checkpoint: connect again"],
  pause: [closeCodes.paused, "the sandbox is paused: connecting to it resumes it"],
} as const;

/**
 * Sees a sandbox's clients through a checkpoint, which may break every connection to its machine. They
 * are asked to come back before it, wait until it is over, and find the sandbox alive. Clients of one
 * that is paused come back when they want something of it.
 */
export class Standstills {
  readonly #connections: Connections;
  readonly #graces: Graces;
  /** Sandbox → settles when it can be connected to again. */
  readonly #under = new Map<string, Promise<unknown>>();

  constructor(connections: Connections, graces: Graces) {
    this.#connections = connections;
    this.#graces = graces;
  }

  /** One at a time for each sandbox, which the engine sees to. */
  async during<T>(
    sandbox: RunningSandbox,
    what: keyof typeof FAREWELLS,
    work: () => Promise<T>,
  ): Promise<T> {
    const { id } = sandbox.spec;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#under.set(id, promise);
    const session = sandbox.holdSession();
    try {
      const [code, why] = FAREWELLS[what];
      await this.#connections.turnAway(id, code, why);
      return await work();
    } finally {
      // A session goes on with the first client that is back, or ends when none comes.
      if (sandbox.state === "running") this.#graces.begin(sandbox);
      session.release();
      this.#under.delete(id);
      resolve();
    }
  }

  /** Resolves at once when there is none. */
  async passed(id: string, signal: AbortSignal): Promise<void> {
    while (this.#under.has(id)) {
      const aborted = Promise.withResolvers<never>();
      const onAbort = () => aborted.reject(new PaddockError("ABORTED", { cause: signal.reason }));
      signal.throwIfAborted();
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        await Promise.race([this.#under.get(id), aborted.promise]);
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    }
  }
}

import type { Engine, RunningSandbox } from "@paddock/engine";
import type { LimitValues } from "@paddock/protocol";

/** What is known here of a connection to a sandbox. */
export interface Visitor {
  readonly unreadBytes: number;
  readonly closed: Promise<void>;
  end(reason: string): Promise<void>;
  leave(): void;
}

type Limits = Pick<LimitValues, "sshConnectionsPerSandbox" | "sshUnreadBytes">;

/** Below it, nobody counts. */
const WORTH_COUNTING_BYTES = 4 * 1024 * 1024;

/** The SSH connections to each sandbox: how many, how much of them is unread, and their end. */
export class SandboxVisitors {
  readonly #engine: Engine;
  readonly #limits: Limits;
  readonly #inside = new Map<RunningSandbox, Set<Visitor>>();

  constructor(engine: Engine, limits: Limits) {
    this.#engine = engine;
    this.#limits = limits;
  }

  /** The sandbox, or why the visitor may not come in. */
  enter(sandboxId: string, visitor: Visitor): RunningSandbox | string {
    const sandbox = this.#engine.get(sandboxId);
    if (sandbox?.state === "creating") return "the sandbox is still starting, try again";
    // What a visitor does resumes one that is paused.
    if (sandbox?.state !== "running" && sandbox?.state !== "paused") return "the sandbox has ended";
    const inside = this.#insideOf(sandbox);
    if (inside.size >= this.#limits.sshConnectionsPerSandbox) {
      return `the sandbox has ${inside.size} SSH connections, the most it may have`;
    }
    inside.add(visitor);
    const visiting = sandbox.holdVisit();
    void visitor.closed.then(() => {
      inside.delete(visitor);
      visiting.release();
    });
    return sandbox;
  }

  /** Lets a visitor go whose bytes are too many for the sandbox's programs to read in time. */
  unreadGrew(sandbox: RunningSandbox, visitor: Visitor): void {
    if (visitor.unreadBytes < WORTH_COUNTING_BYTES) return;
    let sum = 0;
    for (const { unreadBytes } of this.#inside.get(sandbox) ?? []) sum += unreadBytes;
    if (sum > this.#limits.sshUnreadBytes) visitor.leave();
  }

  #insideOf(sandbox: RunningSandbox): Set<Visitor> {
    let inside = this.#inside.get(sandbox);
    if (inside) return inside;
    const visitors = inside = new Set<Visitor>();
    this.#inside.set(sandbox, visitors);
    // Once for the sandbox: a listener of each visitor would stay for as long as it lives.
    void sandbox.ended.then(() => {
      this.#inside.delete(sandbox);
      for (const visitor of visitors) void visitor.end("the sandbox has ended");
    });
    return visitors;
  }
}

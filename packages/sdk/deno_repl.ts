import { type ChildInit, ignoreGone } from "./child_process.ts";
import { DenoProcess } from "./deno_process.ts";
import type { Link } from "./link.ts";

/**
 * A Deno REPL in the sandbox.
 *
 * ```ts
 * await using repl = await sandbox.repl();
 * await repl.eval("const add = (a: number, b: number) => a + b");
 * await repl.eval("add(1, 2)"); // 3
 * await repl.call("add", 1, 2); // 3
 * ```
 */
export class DenoRepl extends DenoProcess {
  readonly #link: Link;

  /** @internal */
  constructor(init: ChildInit, link: Link) {
    super(init);
    this.#link = link;
  }

  /**
   * Evaluates JavaScript or TypeScript, with top-level `await`, and returns the value of its last
   * expression. Throws what the code throws. Aborting `signal` stops waiting, not the code.
   */
  async eval<T = unknown>(code: string, options: { signal?: AbortSignal } = {}): Promise<T> {
    return await this.#link.call("denoReplEval", { pid: this.pid, code }, options) as T;
  }

  /**
   * Calls a function: the name of one the REPL knows, or an expression such as `(a, b) => a + b`.
   * Arguments and result travel as values.
   */
  async call<T = unknown>(fn: string, ...args: unknown[]): Promise<T> {
    return await this.#link.call("denoReplCall", { pid: this.pid, fn, args }) as T;
  }

  /** Ends the REPL. */
  async close(): Promise<void> {
    await this.#link.call("denoReplClose", { pid: this.pid }).catch(ignoreGone);
  }

  /** Ends the REPL and waits for its end. */
  override async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await this.status.catch(() => {});
  }
}

import { type ChildInit, ChildProcess } from "./child_process.ts";
import { fetchInSandbox, type RequestInit } from "./request.ts";

/**
 * A Deno program in the sandbox, made by `sandbox.deno.run`. Dispatches a `restart` event whenever a
 * program run with `watch` restarts.
 */
export class DenoProcess extends ChildProcess {
  readonly #init: ChildInit;
  #httpReady: Promise<boolean> | undefined;

  /** @internal */
  constructor(init: ChildInit) {
    super(init);
    this.#init = init;
  }

  /** `true` once the program serves HTTP; `false` when it ends before it does. */
  get httpReady(): Promise<boolean> {
    this.#httpReady ??= this.#init.connection.call("denoHttpWait", { pid: this.pid }).catch(
      (error) => {
        if (error?.code === "PROCESS_NOT_FOUND" || error?.code === "ENOENT") return false;
        throw error;
      },
    );
    return this.#httpReady;
  }

  /** Sends a request to the program's own HTTP server, whatever the URL's host says, if it has one. */
  async fetch(url: string | URL, init?: RequestInit): Promise<Response> {
    return await fetchInSandbox(this.#init.link, new URL(url, "http://localhost"), init, this.pid);
  }
}

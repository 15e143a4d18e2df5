import type { Connection } from "./connection.ts";
import type { ChildProcessOutput, ChildProcessStatus, Signal } from "./child_process_types.ts";
import { CollectedOutput } from "./collected_output.ts";
import type { Link } from "./link.ts";
import { processStatus } from "./process_status.ts";
import { readAllBytes } from "./read_bytes.ts";

const childKey: unique symbol = Symbol("ChildProcess");

/** What the classes of processes are made from. */
export interface ChildInit {
  key: typeof childKey;
  link: Link;
  /** The connection the process was started on: its streams and its end arrive there. */
  connection: Connection;
  pid: number;
  stdin: WritableStream<Uint8Array<ArrayBuffer>> | null;
  stdout: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  stderr: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  /** Settles when everything inherited has been written to this program's own outputs. */
  inherited: Promise<unknown>;
}

/** @internal */
export function childInit(init: Omit<ChildInit, "key">): ChildInit {
  return { key: childKey, ...init };
}

/**
 * A process in the sandbox.
 *
 * ```ts
 * const child = await sandbox.spawn("wc", { args: ["-c"], stdin: "piped", stdout: "piped" });
 * const writer = child.stdin!.getWriter();
 * await writer.write(new TextEncoder().encode("hello"));
 * await writer.close();
 * const { status, stdoutText } = await child.output(); // "5\n"
 * ```
 */
export class ChildProcess extends EventTarget {
  readonly #init: ChildInit;
  readonly #status: Promise<ChildProcessStatus>;

  /** @internal */
  constructor(init: ChildInit) {
    if (init?.key !== childKey) {
      throw new TypeError("a process cannot be constructed; use `sandbox.spawn()`");
    }
    super();
    this.#init = init;
    this.#status = processStatus(init.connection, { pid: init.pid }, init.link);
    // Who wants the status asks for it; who does not must not be ended by its failure.
    this.#status.catch(() => {});
  }

  /** Process id in the sandbox. */
  get pid(): number {
    return this.#init.pid;
  }

  /** `null` unless `stdin` is `"piped"`. Close it, or the process waits for more. */
  get stdin(): WritableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#init.stdin;
  }

  /** `null` unless `stdout` is `"piped"`. A process waits when nobody reads what it prints. */
  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#init.stdout;
  }

  /** `null` unless `stderr` is `"piped"`. */
  get stderr(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#init.stderr;
  }

  /**
   * How the process ended, once it has. Rejects when the connection is lost before,
   * unless for a checkpoint: that the process outlives.
   */
  get status(): Promise<ChildProcessStatus> {
    return this.#status;
  }

  /** Sends a signal, SIGTERM by default, to the process and all it started. Does not wait for the end. */
  async kill(signal?: Signal): Promise<void> {
    await this.#init.link.call("processKill", { pid: this.pid, signal }).catch(ignoreGone);
  }

  /** Waits for the end and collects what was `"piped"`. */
  async output(): Promise<ChildProcessOutput> {
    const [stdout, stderr, status] = await Promise.all([
      this.stdout && readAllBytes(this.stdout),
      this.stderr && readAllBytes(this.stderr),
      this.#status,
      this.#init.inherited,
    ]);
    return new CollectedOutput(status, stdout, stderr);
  }

  /** Ends the process with SIGTERM and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#status;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `${this.constructor.name} { pid: ${this.pid} }`;
  }
}

/** A process that has ended needs no signal. */
export function ignoreGone(error: { code?: unknown }): void {
  if (error?.code !== "ENOENT" && error?.code !== "ESRCH" && error?.code !== "PROCESS_NOT_FOUND") {
    throw error;
  }
}

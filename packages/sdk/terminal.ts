import { toPath } from "./_path.ts";
import { ignoreGone } from "./child_process.ts";
import type { ChildProcessStatus, Signal } from "./child_process_types.ts";
import type { Connection } from "./connection.ts";
import type { Link } from "./link.ts";
import { processStatus } from "./process_status.ts";

/** Options for `sandbox.terminal`. */
export interface TerminalOptions {
  /** What runs in it. Default: `bash`. */
  command?: string | URL;
  args?: string[];
  /** Working directory in the sandbox. Default: `/home/sandbox`. */
  cwd?: string | URL;
  /** Start from an empty environment instead of the sandbox's. Default: `false`. */
  clearEnv?: boolean;
  /** Environment variables to add. */
  env?: Record<string, string>;
  /** Characters in a line, 1 to 65,535. Default: 80. */
  columns?: number;
  /** Lines, 1 to 65,535. Default: 24. */
  rows?: number;
  /** What kind of terminal `output` is shown on: the value of TERM. Default: `xterm-256color`. */
  term?: string;
  /** Hangs up when it aborts. */
  signal?: AbortSignal;
}

const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;
/** Time to end after a hang-up, for a program that saves something first. */
const HANG_UP_MS = 2_000;

const terminalKey: unique symbol = Symbol("Terminal");

interface TerminalInit {
  key: typeof terminalKey;
  link: Link;
  connection: Connection;
  pid: number;
  input: WritableStream<Uint8Array<ArrayBuffer>>;
  output: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/**
 * A program in a terminal: a shell somebody types into, an editor, whatever wants colours.
 *
 * ```ts
 * await using terminal = await sandbox.terminal({ columns: 100, rows: 30 });
 * await terminal.write("echo $((6 * 7)); exit\n");
 * const shown = await new Response(terminal.output).text(); // what a screen is sent, "42" among it
 * ```
 *
 * It ends when its program does. A lost connection hangs up.
 */
export class Terminal {
  /** Process id of its program in the sandbox. */
  readonly pid: number;
  /** What it shows. The program waits when nobody reads; cancelling hangs up. */
  readonly output: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What is typed. Waits while the program reads nothing. Closing it types nothing, not even Ctrl-D. */
  readonly input: WritableStream<Uint8Array<ArrayBuffer>>;
  /** How its program ended, once it has. Rejects when the connection is lost before. */
  readonly status: Promise<ChildProcessStatus>;
  readonly #link: Link;
  readonly #connection: Connection;

  /** @internal */
  constructor(init: TerminalInit) {
    if (init?.key !== terminalKey) {
      throw new TypeError("a terminal cannot be constructed; use `sandbox.terminal()`");
    }
    const { link, connection, pid, input, output } = init;
    this.pid = pid;
    this.input = input;
    this.output = output;
    this.#link = link;
    this.#connection = connection;
    this.status = processStatus(connection, { pid });
    // Who wants the status asks for it; who does not must not be ended by its failure.
    this.status.catch(() => {});
  }

  /** Types. Ctrl-C is `"\x03"`, the end of input `"\x04"` at the start of a line. */
  async write(typed: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const writer = this.input.getWriter();
    const written = writer.write(
      typeof typed === "string" ? new TextEncoder().encode(typed) : typed,
    );
    writer.releaseLock();
    await written;
  }

  /** Its program is told by SIGWINCH. Nothing happens once it has ended. */
  async resize(columns: number, rows: number): Promise<void> {
    await this.#connection.call("paddock.resizePty", { pid: this.pid, columns, rows });
  }

  /** Sends a signal to its program. Default: SIGHUP, after which a shell ends itself and its jobs. */
  async kill(signal: Signal = "SIGHUP"): Promise<void> {
    await this.#link.call("processKill", { pid: this.pid, signal }).catch(ignoreGone);
  }

  /** Hangs up, and waits for the end. Who does not care for a hang-up is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { status } = this;
    await this.kill();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), HANG_UP_MS);
    });
    const isLate = await Promise.race([late, status.then(() => false, () => false)]);
    clearTimeout(timer);
    if (isLate) await this.kill("SIGKILL");
    if (!this.output.locked) await this.output.cancel().catch(() => {});
    await status.catch(() => {});
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Terminal { pid: ${this.pid} }`;
  }
}

/** @internal */
export async function openTerminal(link: Link, options: TerminalOptions): Promise<Terminal> {
  const { signal, command } = options;
  signal?.throwIfAborted();
  const connection = await link.connection(signal);
  const typed = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const stdinStreamId = connection.sendStream(typed.readable);
  let started: { pid: number; outputStreamId: number };
  try {
    started = await connection.call("paddock.spawnPty", {
      command: command === undefined ? "bash" : toPath(command),
      args: options.args ?? [],
      cwd: options.cwd === undefined ? undefined : toPath(options.cwd),
      clearEnv: options.clearEnv,
      env: options.env,
      columns: options.columns ?? DEFAULT_COLUMNS,
      rows: options.rows ?? DEFAULT_ROWS,
      term: options.term,
      stdinStreamId,
    });
  } catch (error) {
    typed.writable.abort(error).catch(() => {});
    throw error;
  }
  const terminal = new Terminal({
    key: terminalKey,
    link,
    connection,
    pid: started.pid,
    input: typed.writable,
    // What is on its way when somebody presses Ctrl-C is shown before anything else.
    output: connection.receiveStream(started.outputStreamId, 0),
  });
  if (signal) {
    const hangUp = () => void terminal.kill().catch(() => {});
    if (signal.aborted) hangUp();
    signal.addEventListener("abort", hangUp, { once: true });
    const forget = () => signal.removeEventListener("abort", hangUp);
    terminal.status.then(forget, forget);
  }
  return terminal;
}

import { sleep } from "@paddock/driver";

/** The commands of QEMU's machine protocol that are used, with what each takes and answers. */
export interface QmpCommands {
  qmp_capabilities: [undefined, unknown];
  "query-status": [undefined, { status: string; running: boolean }];
  stop: [undefined, unknown];
  cont: [undefined, unknown];
  /** What its serial port has of it is a break in the line. */
  "chardev-send-break": [{ id: string }, unknown];
  balloon: [{ value: number }, unknown];
  /** Everything but memory and disks, in the format of a migration. */
  "xen-save-devices-state": [{ filename: string; live: boolean }, unknown];
  "migrate-incoming": [{ uri: string }, unknown];
  "query-migrate": [undefined, { status?: string; "error-desc"?: string }];
}

export interface QmpEvent {
  event: string;
  data?: Record<string, unknown>;
}

export interface QmpOptions {
  deadlineMs?: number;
  signal?: AbortSignal;
}

/** No answer of these commands comes near it; a QEMU that a guest has taken over may say anything. */
const MAX_LINE = 256 * 1024;
const DEFAULT_DEADLINE_MS = 30_000;

/** What QEMU answers a command that it could not carry out. */
export class QmpError extends Error {
  override readonly name = "QmpError";
}

type Answer = { return?: unknown; error?: { desc?: unknown } };

/** A client of one QEMU, over the pipes that the process was started with. */
export class QmpClient {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer>>();
  readonly #greeting = Promise.withResolvers<void>();
  readonly #onEvent: (event: QmpEvent) => void;
  #next = 1;
  #ended: Error | undefined;

  constructor(
    readable: ReadableStream<Uint8Array>,
    writable: WritableStream<Uint8Array>,
    onEvent: (event: QmpEvent) => void = () => {},
  ) {
    this.#writer = writable.getWriter();
    this.#onEvent = onEvent;
    this.#greeting.promise.catch(() => {});
    this.#read(readable).then(
      () => this.#end(new Error("QEMU has closed its control connection")),
      (error) => this.#end(error),
    );
  }

  /** Resolves once QEMU is ready for commands. */
  async open(options: QmpOptions = {}): Promise<void> {
    await within(this.#greeting.promise, "greet", options);
    await this.execute("qmp_capabilities", undefined, options);
  }

  async execute<Name extends keyof QmpCommands>(
    name: Name,
    args: QmpCommands[Name][0],
    options: QmpOptions = {},
  ): Promise<QmpCommands[Name][1]> {
    if (this.#ended) throw this.#ended;
    const id = this.#next++;
    const waiting = Promise.withResolvers<Answer>();
    waiting.promise.catch(() => {});
    this.#waiting.set(id, waiting);
    try {
      const text = JSON.stringify({ execute: name, ...(args ? { arguments: args } : {}), id });
      const written = this.#writer.write(new TextEncoder().encode(`${text}\n`));
      const answer = await within(written.then(() => waiting.promise), name, options);
      if (answer.error) throw new QmpError(`${name}: ${String(answer.error.desc).slice(0, 1_000)}`);
      return answer.return as QmpCommands[Name][1];
    } finally {
      this.#waiting.delete(id);
    }
  }

  async #read(readable: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of readable.pipeThrough(new TextDecoderStream() as TextDecoding)) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line.trim() !== "") this.#take(line);
      if (rest.length > MAX_LINE) throw new Error("QEMU sent a line that is too long");
    }
  }

  #take(line: string): void {
    if (line.length > MAX_LINE) throw new Error("QEMU sent a line that is too long");
    const message = JSON.parse(line);
    if (typeof message !== "object" || message === null) throw new Error("QEMU sent no object");
    if ("QMP" in message) return this.#greeting.resolve();
    if (typeof message.event === "string") return this.#onEvent(message);
    this.#waiting.get(message.id)?.resolve(message);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#greeting.reject(this.#ended);
    for (const waiting of this.#waiting.values()) waiting.reject(this.#ended);
    this.#writer.close().catch(() => {});
  }
}

type TextDecoding = ReadableWritablePair<string, Uint8Array>;

async function within<T>(work: Promise<T>, what: string, options: QmpOptions): Promise<T> {
  const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
  const done = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, done.signal]) : done.signal;
  const late = sleep(deadlineMs, signal).then(() => {
    throw new Error(`QEMU did not answer ${what} within ${deadlineMs} ms`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
    late.catch(() => {});
  }
}

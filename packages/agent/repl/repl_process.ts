import { fromWireError, PaddockError, SerializedValue, serializeValue } from "@paddock/protocol";
import type { GuestProcess } from "../process/guest_process.ts";
import type { Channel } from "./channel.ts";
import type { FromRepl, ToRepl } from "./messages.ts";

/** How long a REPL that was closed may take to end by itself. */
const CLOSE_GRACE_MS = 250;

export interface ReplSettings {
  env: Record<string, string>;
  cwd: string;
  args: string[];
}

interface Pending {
  resolve(value: SerializedValue): void;
  reject(error: unknown): void;
}

/** A REPL as the agent sees it: the process and the calls that wait for it. */
export class ReplProcess {
  readonly process: GuestProcess;
  readonly #channel: Channel<FromRepl, ToRepl>;
  readonly #pending = new Map<number, Pending>();
  readonly #answered = Promise.withResolvers<void>();
  /** What it was started with, or told since. */
  #settings: ReplSettings;
  #lastId = 0;
  #closed = false;

  constructor(
    process: GuestProcess,
    settings: ReplSettings,
    channel: Channel<FromRepl, ToRepl>,
    messages: AsyncGenerator<FromRepl>,
  ) {
    this.process = process;
    this.#settings = settings;
    this.#channel = channel;
    void this.#receive(messages);
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Settles with the first answer, or when there will be none. */
  get answered(): Promise<void> {
    return this.#answered.promise;
  }

  get alive(): boolean {
    return !this.#closed && !this.process.exit;
  }

  /** What the process was started with gives way to what its user asked for. */
  adopt(settings: ReplSettings): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#settings = settings;
    this.#channel.send({ type: "adopt", ...settings }).catch(() => {});
  }

  reseed(): void {
    this.#channel.send({ type: "reseed" }).catch(() => {});
  }

  evaluate(code: string): Promise<SerializedValue> {
    return this.#call((id) => ({ type: "evaluate", id, code }));
  }

  call(fn: string, args: unknown[]): Promise<SerializedValue> {
    const { devalue } = serializeValue(args);
    return this.#call((id) => ({ type: "call", id, fn, args: devalue }));
  }

  /** Asks the process to end and sees to it that it does. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#channel.close();
    const timer = setTimeout(() => this.process.kill("SIGKILL"), CLOSE_GRACE_MS);
    const done = () => clearTimeout(timer);
    this.process.status.then(done, done);
  }

  #call(message: (id: number) => ToRepl): Promise<SerializedValue> {
    if (!this.alive) return Promise.reject(this.#gone());
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<SerializedValue>();
    this.#pending.set(id, { resolve, reject });
    this.#channel.send(message(id)).catch(() => this.#fail());
    return promise;
  }

  async #receive(messages: AsyncGenerator<FromRepl>): Promise<void> {
    try {
      for await (const message of messages) {
        if (message.type === "hello") continue;
        this.#answered.resolve();
        const pending = this.#pending.get(message.id);
        this.#pending.delete(message.id);
        if (message.type === "value") pending?.resolve(new SerializedValue(message.value));
        else pending?.reject(fromWireError(message.error));
      }
    } catch {
      // What it sends makes no sense: it is ended below like one that stopped sending.
    }
    this.#channel.close();
    if (this.#pending.size > 0) {
      // How it ended is known in a moment, and is what the callers want to hear.
      const timer = setTimeout(() => this.process.kill("SIGKILL"), CLOSE_GRACE_MS);
      await this.process.status.catch(() => {});
      clearTimeout(timer);
    }
    this.close();
    this.#fail();
  }

  #fail(): void {
    this.#answered.resolve();
    for (const { reject } of this.#pending.values()) reject(this.#gone());
    this.#pending.clear();
  }

  #gone(): PaddockError {
    const { exit } = this.process;
    const how = !exit
      ? "was closed"
      : exit.oom
      ? "was ended because the sandbox ran out of memory"
      : exit.signal
      ? `was ended by ${exit.signal}`
      : `has exited with code ${exit.code}`;
    return new PaddockError("REPL_CLOSED", { message: `The REPL ${how}.` });
  }
}

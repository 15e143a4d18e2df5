import fs from "node:fs";
import { runCommand } from "@paddock/driver";

const READ_EVERY_MS = 1_000;
const READ_BYTES = 64 * 1024;
/** In one go; what a VMM writes beyond that waits in the pipe, and is lost when that is full. */
const MAX_BYTES_AT_ONCE = 1024 * 1024;

/**
 * The newest part of what a VMM writes into a named pipe. The pipe is read now and then without ever
 * waiting for it: a reader that waits would cost a thread for each machine.
 */
export class LogPipe implements Disposable {
  readonly #limit: number;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #decoder = new TextDecoder();
  #file: number | undefined;
  #text = "";

  /** Makes the pipe, for its writer to own. */
  static async create(path: string, uid: number, limit: number): Promise<LogPipe> {
    const made = await runCommand(["mkfifo", "-m", "600", path]);
    if (!made.ok) throw new Error(`mkfifo failed: ${made.stderr}`);
    await Deno.chown(path, uid, uid);
    return new LogPipe(path, limit);
  }

  private constructor(path: string, limit: number) {
    this.#limit = limit;
    this.#file = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    this.#timer = setInterval(() => this.#read(), READ_EVERY_MS);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  /** All that is kept, the last of it just read. */
  text(): string {
    this.#read();
    return this.#text;
  }

  [Symbol.dispose](): void {
    if (this.#file === undefined) return;
    this.#read();
    clearInterval(this.#timer);
    fs.closeSync(this.#file);
    this.#file = undefined;
  }

  #read(): void {
    for (let taken = 0; this.#file !== undefined && taken < MAX_BYTES_AT_ONCE;) {
      let read: number;
      try {
        read = fs.readSync(this.#file, this.#buffer);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") return;
        throw error;
      }
      if (read === 0) return;
      taken += read;
      const more = this.#decoder.decode(this.#buffer.subarray(0, read), { stream: true });
      this.#text = (this.#text + more).slice(-this.#limit);
    }
  }
}

import { sleep } from "./sleep.ts";

/** A guest that floods its console is read at this pace, so that it costs the daemon nothing. */
const BYTES_PER_SECOND = 1024 * 1024;

/**
 * The last `limit` bytes of what a machine writes, in memory and in a file that survives the daemon.
 * The writers are hostile: neither may grow beyond twice the limit.
 */
export class ConsoleLog {
  readonly #limit: number;
  readonly #path: string;
  #chunks: Uint8Array[] = [];
  #kept = 0;
  #file: Deno.FsFile | undefined;
  #written = 0;
  #budget = BYTES_PER_SECOND;
  #budgetSince = performance.now();

  constructor(path: string, limit: number) {
    this.#path = path;
    this.#limit = limit;
    this.#file = Deno.openSync(path, { create: true, truncate: true, write: true, mode: 0o600 });
  }

  /** Reads the stream to its end. Never rejects. */
  async drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of stream) {
        this.#append(chunk);
        await this.#pace(chunk.length);
      }
    } catch {
      // The pipe broke with its machine.
    }
  }

  text(): string {
    const decoder = new TextDecoder();
    return this.#chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #append(chunk: Uint8Array): void {
    const tail = chunk.length > this.#limit ? chunk.slice(-this.#limit) : chunk;
    this.#chunks.push(tail);
    this.#kept += tail.length;
    while (this.#kept - this.#chunks[0].length >= this.#limit) {
      this.#kept -= this.#chunks.shift()!.length;
    }
    this.#write(tail);
  }

  #write(chunk: Uint8Array): void {
    try {
      if (this.#written + chunk.length > 2 * this.#limit) {
        // Starting over with what memory holds keeps the newest part.
        this.#file?.truncateSync(0);
        this.#file?.seekSync(0, Deno.SeekMode.Start);
        this.#written = 0;
        for (const kept of this.#chunks) this.#writeAll(kept);
        return;
      }
      this.#writeAll(chunk);
    } catch {
      // A full host disk must not end the reading; memory still has the text.
    }
  }

  #writeAll(chunk: Uint8Array): void {
    for (let at = 0; this.#file && at < chunk.length;) {
      at += this.#file.writeSync(chunk.subarray(at));
    }
    this.#written += chunk.length;
  }

  async #pace(bytes: number): Promise<void> {
    const now = performance.now();
    if (now - this.#budgetSince >= 1_000) {
      this.#budget = BYTES_PER_SECOND;
      this.#budgetSince = now;
    }
    this.#budget -= bytes;
    if (this.#budget <= 0) await sleep(Math.max(1, 1_000 - (now - this.#budgetSince)));
  }
}

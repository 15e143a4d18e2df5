import { createDiskImage, type Log } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";

/** Empty disk images kept ready below `directory`; taking one is a rename. */
export class DiskPool {
  readonly #directory: string;
  readonly #bytes: number;
  readonly #prewarm: number;
  readonly #log: Log;
  #ready: string[] = [];
  #next = 0;
  #making: Promise<void> | undefined;
  #closed = false;

  constructor(directory: string, bytes: number, prewarm: number, log: Log) {
    this.#directory = directory;
    this.#bytes = bytes;
    this.#prewarm = prewarm;
    this.#log = log;
  }

  async open(): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true }).catch(() => {});
    await Deno.mkdir(this.#directory, { recursive: true, mode: 0o700 });
    this.#refill();
  }

  async take(path: string, signal: AbortSignal): Promise<void> {
    const ready = this.#ready.shift();
    this.#refill();
    try {
      if (ready) await Deno.rename(ready, path);
      else await createDiskImage(path, this.#bytes, signal);
    } catch (error) {
      if (isDiskFull(error)) throw new PaddockError("DISK_FULL", { cause: error });
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#making;
    await Deno.remove(this.#directory, { recursive: true }).catch(() => {});
  }

  #refill(): void {
    this.#making ??= this.#make().finally(() => this.#making = undefined);
  }

  async #make(): Promise<void> {
    while (!this.#closed && this.#ready.length < this.#prewarm) {
      const path = `${this.#directory}/${this.#next++}.img`;
      try {
        await createDiskImage(path, this.#bytes);
      } catch (error) {
        await Deno.remove(path).catch(() => {});
        this.#log.warn("no disk could be kept ready", { error: String(error) });
        return;
      }
      this.#ready.push(path);
    }
  }
}

function isDiskFull(error: unknown): boolean {
  return /No space left|os error 28/.test(String(error));
}

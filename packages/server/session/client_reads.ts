import type { Socket } from "node:net";

const SMALL_BYTES = 64 * 1024;
const LARGE_BYTES = 512 * 1024;
/** A read that brings this much is taken for one of many. */
const BUSY_BYTES = 32 * 1024;

/** Takes a chunk; true when its memory may be written to again at once, else `done` says when. */
export type TakeClientChunk = (chunk: Uint8Array, done: () => void) => boolean;

/** What node:net keeps in and behind a socket that was connected with `onread`. */
interface Handle {
  useUserBuffer?(buffer: Uint8Array): void;
}

/**
 * Reads an accepted socket into memory that is used again, as `onread` does for one that was connected:
 * for accepted ones there is no such option, so what it sets is set here. A socket that has nothing of
 * the kind is read as any other, and emits its chunks.
 */
export class ClientReads {
  readonly #take: TakeClientChunk;
  #small = new Uint8Array(SMALL_BYTES);
  #smallFree = true;
  #large: Uint8Array | undefined;
  #largeFree = true;
  #busy = false;

  constructor(take: TakeClientChunk) {
    this.#take = take;
  }

  /** Has no effect where it cannot have one. The socket is paused, and resumed by its owner. */
  attach(socket: Socket): void {
    const inside = socket as unknown as Record<symbol, unknown> & { _handle?: Handle | null };
    const symbols = Object.getOwnPropertySymbols(inside);
    const [first, callback, generator] = ["kBuffer", "kBufferCb", "kBufferGen"].map((name) =>
      symbols.find(({ description }) => description === name)
    );
    const handle = inside._handle;
    if (!first || !callback || !generator || !handle?.useUserBuffer) return;
    inside[first] = this.#small;
    inside[callback] = (bytes: number, buffer: Uint8Array) => this.#read(bytes, buffer);
    inside[generator] = () => this.#next();
    handle.useUserBuffer(this.#small);
  }

  /** Called every second or so: after one without large reads the large buffer goes. */
  tick(): void {
    if (!this.#busy && this.#largeFree) this.#large = undefined;
    this.#busy = false;
  }

  #read(bytes: number, buffer: Uint8Array): boolean {
    if (bytes >= BUSY_BYTES) this.#busy = true;
    let waiting = false;
    const taken = this.#take(buffer.subarray(0, bytes), () => {
      // By now one that was taken at once may hold something new.
      if (waiting) this.#setFree(buffer, true);
    });
    if (!taken) {
      waiting = true;
      this.#setFree(buffer, false);
    }
    return true;
  }

  #setFree(buffer: Uint8Array, free: boolean): void {
    if (buffer === this.#large) this.#largeFree = free;
    else if (buffer === this.#small) this.#smallFree = free;
  }

  /** Asked for after every read. */
  #next(): Uint8Array {
    if (this.#busy && this.#largeFree) return this.#large ??= new Uint8Array(LARGE_BYTES);
    if (!this.#smallFree) {
      this.#small = new Uint8Array(SMALL_BYTES);
      this.#smallFree = true;
    }
    return this.#small;
  }
}

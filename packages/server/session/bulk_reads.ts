const SMALL_BYTES = 16 * 1024;
/** What one call of the system may bring: the larger, the fewer of them. */
const LARGE_BYTES = 512 * 1024;

/** Takes a chunk; true when its memory may be written to again at once. */
export type TakeChunk = (chunk: Uint8Array) => boolean;

/**
 * Reads a socket into memory that is used again, for `onread` of `net.connect`. A socket that emits
 * its chunks makes a buffer of 64 KiB for each, and a busy one is then mostly occupied with their
 * making and collection. Connections that are quiet hold little.
 */
export class BulkReads {
  #buffer = new Uint8Array(SMALL_BYTES);
  #busy = false;
  #free = true;
  #take: TakeChunk | undefined;
  #early: Uint8Array[] = [];

  /** The option of `net.connect`. */
  readonly onread: { buffer(): Uint8Array; callback(bytes: number, buffer: Uint8Array): boolean } =
    {
      buffer: () => this.#next(),
      callback: (bytes, buffer) => {
        this.#read(buffer.subarray(0, bytes));
        return true;
      },
    };

  /** What comes from now on goes to `take`; what came since somebody listened last is given back. */
  listen(take: TakeChunk | undefined): Uint8Array {
    this.#take = take;
    const early = Buffer.concat(this.#early);
    this.#early = [];
    return early;
  }

  /** Called every second or so: after one without large reads the large buffer goes. */
  tick(): void {
    if (!this.#busy && this.#buffer.length > SMALL_BYTES) this.#free = false;
    this.#busy = false;
  }

  #read(chunk: Uint8Array): void {
    if (!this.#take) {
      // The socket is paused by then, so this is the little that was on its way.
      this.#early.push(chunk.slice());
    } else if (!this.#take(chunk)) {
      this.#free = false;
      this.#busy = false;
    } else if (chunk.length >= SMALL_BYTES) {
      this.#busy = true;
    }
  }

  /** Asked for after every read. */
  #next(): Uint8Array {
    if (!this.#free) {
      // Its reader is slow, or nothing comes: in both cases there is no use for a large one now.
      this.#buffer = new Uint8Array(SMALL_BYTES);
      this.#free = true;
    } else if (this.#busy && this.#buffer.length === SMALL_BYTES) {
      this.#buffer = new Uint8Array(LARGE_BYTES);
    }
    return this.#buffer;
  }
}

const CR = 13;
const LF = 10;
const FIRST_BYTES = 2 * 1024;
const EMPTY = Buffer.alloc(0);

export type Collected =
  /** `text` is without the empty line at its end; `rest` is what came behind it. */
  | { state: "complete"; text: string; rest: Buffer }
  | { state: "incomplete" }
  | { state: "too large" }
  | { state: "malformed" };

/** Gathers bytes until they hold a whole head; however few arrive at a time, each is looked at once. */
export class HeadCollector {
  readonly #maxBytes: number;
  #bytes: Buffer = EMPTY;
  #filled = 0;
  #looked = 0;
  #lineStart = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get empty(): boolean {
    return this.#filled === 0;
  }

  push(chunk: Buffer): Collected {
    // The usual case: a head arrives whole, and nothing is copied.
    if (this.#filled === 0) {
      this.#bytes = chunk;
      this.#filled = chunk.length;
      const found = this.#look();
      if (found.state === "incomplete") this.#keep(chunk);
      return found;
    }
    this.#append(chunk);
    return this.#look();
  }

  #look(): Collected {
    const bytes = this.#bytes;
    while (true) {
      const feed = bytes.indexOf(LF, this.#looked);
      if (feed < 0 || feed >= this.#filled) {
        this.#looked = this.#filled;
        return { state: this.#filled > this.#maxBytes ? "too large" : "incomplete" };
      }
      this.#looked = feed + 1;
      if (feed === 0 || bytes[feed - 1] !== CR) return { state: "malformed" };
      const empty = feed - 1 === this.#lineStart;
      this.#lineStart = feed + 1;
      if (!empty) continue;
      if (feed + 1 > this.#maxBytes) return { state: "too large" };
      const text = bytes.toString("latin1", 0, Math.max(0, feed - 3));
      const rest = bytes.subarray(feed + 1, this.#filled);
      this.#reset();
      return { state: "complete", text, rest };
    }
  }

  #keep(chunk: Buffer): void {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, chunk.length * 2));
    chunk.copy(this.#bytes);
  }

  #append(chunk: Buffer): void {
    const needed = this.#filled + chunk.length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.#filled);
      this.#bytes = grown;
    }
    chunk.copy(this.#bytes, this.#filled);
    this.#filled = needed;
  }

  #reset(): void {
    this.#bytes = EMPTY;
    this.#filled = this.#looked = this.#lineStart = 0;
  }
}

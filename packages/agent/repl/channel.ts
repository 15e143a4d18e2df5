const HEADER_BYTES = 4;

/** A byte stream both ways, as `Deno.Conn` is one. */
export interface ByteConnection {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * JSON messages over a byte stream, each behind its length. Writes of one side never interleave;
 * a message longer than `maxBytes` ends the channel, because its sender is not to be trusted.
 */
export class Channel<Incoming, Outgoing> {
  #connection: ByteConnection;
  #maxBytes: number;
  #buffer: Uint8Array = new Uint8Array(16 * 1024);
  #filled = 0;
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(connection: ByteConnection, maxBytes: number) {
    this.#connection = connection;
    this.#maxBytes = maxBytes;
  }

  send(message: Outgoing): Promise<void> {
    const text = JSON.stringify(message);
    const bytes = new Uint8Array(HEADER_BYTES + text.length * 3);
    const { written } = encoder.encodeInto(text, bytes.subarray(HEADER_BYTES));
    new DataView(bytes.buffer).setUint32(0, written);
    const frame = bytes.subarray(0, HEADER_BYTES + written);
    const sent = this.#lastWrite.then(() => this.#writeAll(frame));
    this.#lastWrite = sent.catch(() => {});
    return sent;
  }

  /** Messages until the other side ends. Throws what the connection throws. */
  async *receive(): AsyncGenerator<Incoming> {
    while (true) {
      const length = await this.#need(HEADER_BYTES) ? this.#lengthOfNext() : undefined;
      if (length === undefined) return;
      if (length > this.#maxBytes) {
        throw new RangeError(`a message of ${length} bytes is over ${this.#maxBytes}`);
      }
      if (!await this.#need(HEADER_BYTES + length)) return;
      const text = decoder.decode(this.#buffer.subarray(HEADER_BYTES, HEADER_BYTES + length));
      this.#drop(HEADER_BYTES + length);
      yield JSON.parse(text) as Incoming;
    }
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // Already closed by the other side or by an error.
    }
  }

  #lengthOfNext(): number {
    return new DataView(this.#buffer.buffer, this.#buffer.byteOffset).getUint32(0);
  }

  async #need(bytes: number): Promise<boolean> {
    if (bytes > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(bytes, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = larger;
    }
    while (this.#filled < bytes) {
      const read = await this.#connection.read(this.#buffer.subarray(this.#filled));
      if (read === null) return false;
      this.#filled += read;
    }
    return true;
  }

  #drop(bytes: number): void {
    this.#buffer.copyWithin(0, bytes, this.#filled);
    this.#filled -= bytes;
    if (this.#buffer.length > 1024 * 1024 && this.#filled < 16 * 1024) {
      this.#buffer = this.#buffer.slice(0, 16 * 1024);
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      offset += await this.#connection.write(bytes.subarray(offset));
    }
  }
}

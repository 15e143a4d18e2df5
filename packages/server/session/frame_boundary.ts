const OPCODE_CLOSE = 0x8;

/**
 * Follows the heads of WebSocket frames in a byte stream, so that a frame of our own (a ping, a
 * close) can be put between two of them. Payloads are skipped, never looked at or kept.
 */
export class FrameBoundary {
  readonly #head = new Uint8Array(10);
  #headBytes = 0;
  #payloadLeft = 0;
  #closeSeen = false;

  /** True when everything pushed so far ends with the end of a frame. */
  get atBoundary(): boolean {
    return this.#headBytes === 0 && this.#payloadLeft === 0;
  }

  /** True once a close frame has begun: the WebSocket allows no frame after it. */
  get closeSeen(): boolean {
    return this.#closeSeen;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= skipped;
        at += skipped;
        continue;
      }
      this.#head[this.#headBytes++] = chunk[at++];
      if (this.#headBytes >= 2 && this.#headBytes === headLength(this.#head[1])) this.#headDone();
    }
  }

  #headDone(): void {
    const [first, second] = this.#head;
    if ((first & 0x0f) === OPCODE_CLOSE) this.#closeSeen = true;
    const view = new DataView(this.#head.buffer);
    const short = second & 0x7f;
    let length = short;
    if (short === 126) length = view.getUint16(2);
    if (short === 127) length = Number(view.getBigUint64(2));
    // A mask is four more bytes after the head; servers do not mask, a guest may do as it likes.
    this.#payloadLeft = length + (second & 0x80 ? 4 : 0);
    this.#headBytes = 0;
  }
}

function headLength(second: number): number {
  const short = second & 0x7f;
  return short === 126 ? 4 : short === 127 ? 10 : 2;
}

/** What is kept for a reader who is slow, or never comes. */
const KEPT_BYTES = 256 * 1024;
const TAIL_CHARACTERS = 4_000;

/**
 * Output of a program that must never wait for its reader: whoever opens an editor for others seldom
 * reads its log. What finds no room is dropped.
 */
export class LossyOutput {
  readonly stream: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #open = true;
  #tail = "";
  readonly #decoder = new TextDecoder();

  constructor(onText?: (tail: string) => void) {
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#open = false;
      },
    }, new ByteLengthQueuingStrategy({ highWaterMark: KEPT_BYTES }));
    this.#onText = onText;
  }

  #onText: ((tail: string) => void) | undefined;

  /** The last that was written. */
  get tail(): string {
    return this.#tail;
  }

  /** Takes everything that `source` has, and ends with it. */
  async drain(source: ReadableStream<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of source) this.write(chunk);
    } catch {
      // The pipe is gone: this is its end.
    }
    if (this.#open) this.#controller.close();
    this.#open = false;
  }

  write(chunk: Uint8Array): void {
    this.#tail = (this.#tail + this.#decoder.decode(chunk, { stream: true }))
      .slice(-TAIL_CHARACTERS);
    this.#onText?.(this.#tail);
    // A copy: the reader of the pipe uses its buffer again.
    if (this.#open && (this.#controller.desiredSize ?? 0) > 0) {
      this.#controller.enqueue(chunk.slice());
    }
  }

  say(line: string): void {
    this.write(new TextEncoder().encode(`${line}\n`));
  }
}

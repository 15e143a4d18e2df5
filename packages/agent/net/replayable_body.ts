/** What is remembered of a body for a redirect that wants it again. */
const KEPT_BYTES = 1024 * 1024;

/** A body that comes as a stream and may have to be sent more than once: its beginning is kept. */
export class ReplayableBody {
  readonly #source: ReadableStreamDefaultReader<Uint8Array>;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #reading: Promise<ReadableStreamReadResult<Uint8Array>> | undefined;
  #current = 0;

  constructor(source: ReadableStream<Uint8Array>) {
    this.#source = source.getReader();
  }

  /** All of it. The stream that was given before ends; too long a body is there only once. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#keptBytes > KEPT_BYTES) {
      throw new TypeError(
        `Fetch failed: a body of more than ${KEPT_BYTES} bytes is not sent again after a redirect`,
      );
    }
    const mine = ++this.#current;
    let next = 0;
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        while (mine === this.#current) {
          if (next < this.#kept.length) return controller.enqueue(this.#kept[next++]);
          // What was being read for an earlier stream is kept for this one.
          const reading = this.#reading ??= this.#source.read();
          const { value, done } = await reading;
          if (done) return controller.close();
          if (this.#reading !== reading) continue;
          this.#reading = undefined;
          if (this.#keptBytes <= KEPT_BYTES) this.#keptBytes += value.length;
          if (this.#keptBytes <= KEPT_BYTES) {
            this.#kept.push(value);
            continue;
          }
          this.#kept = [];
          return controller.enqueue(value);
        }
        controller.error(new TypeError("the request was redirected"));
      },
    }, { highWaterMark: 0 }) as ReadableStream<Uint8Array<ArrayBuffer>>;
  }

  /** Nobody wants the rest. */
  cancel(reason?: unknown): void {
    this.#current++;
    this.#kept = [];
    this.#source.cancel(reason).catch(() => {});
  }
}

export interface InboundEvents {
  /** The consumer took so many bytes out of the queue. */
  taken(stream: InboundStream, bytes: number): void;
  /** The consumer wants no more. */
  cancelled(stream: InboundStream, reason: unknown): void;
  /** Nothing is queued any more and nothing will come. */
  finished(stream: InboundStream): void;
}

interface Sink extends PromiseWithResolvers<void> {
  write(chunk: Uint8Array): void;
}

/** A stream the other side sends: a queue on one end, a readable byte stream or a sink on the other. */
export class InboundStream {
  readonly id: number;
  readonly #events: InboundEvents;
  #queue: Uint8Array[] = [];
  #head = 0;
  #queuedBytes = 0;
  #wanted = false;
  #controller: ReadableByteStreamController | undefined;
  #sink: Sink | undefined;
  #state: "open" | "ended" | "failed" | "finished" = "open";
  #error: unknown;
  /** When the consumer last took something; the start, before it did. */
  lastTakenAt: number = Date.now();
  /** Bytes the sender may still send (credit mode). */
  allowance = 0;
  /** So many bytes are granted at once (credit mode). */
  grantEvery = 0;
  /** Bytes taken and not granted yet (credit mode). */
  ungranted = 0;

  constructor(id: number, events: InboundEvents) {
    this.id = id;
    this.#events = events;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get receiving(): boolean {
    return this.#state === "open";
  }

  /** Chunks are written as they come, and their memory is free when `push` returns. */
  get direct(): boolean {
    return this.#sink !== undefined;
  }

  /** `chunk` must be the only view of its buffer, unless `direct`: byte streams transfer it. */
  push(chunk: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    this.#deliver();
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ended";
    this.#deliver();
  }

  /** What is queued is still delivered, then the error. */
  fail(error: unknown): void {
    if (this.#state !== "open") return;
    this.#state = "failed";
    this.#error = error;
    this.#deliver();
  }

  /** What is queued is dropped; the consumer sees the error next. */
  abort(error: unknown): void {
    if (this.#state === "finished") return;
    this.#drop();
    this.#state = "failed";
    this.#error = error;
    this.#deliver();
    // Unclaimed: nobody will come and read the error.
    if (!this.#controller && !this.#sink) this.#finish();
  }

  /**
   * Gives every chunk to `write`, at once, and settles when the stream is over. What `write` throws, or
   * an abort, ends the stream and is told to the sender.
   */
  drainInto(write: (chunk: Uint8Array) => void, signal?: AbortSignal): Promise<void> {
    const sink = { ...Promise.withResolvers<void>(), write };
    this.#sink = sink;
    const abort = () => this.#giveUp(signal!.reason);
    if (signal?.aborted) abort();
    else {
      signal?.addEventListener("abort", abort);
      this.#deliver();
    }
    return sink.promise.finally(() => signal?.removeEventListener("abort", abort));
  }

  #giveUp(reason: unknown): void {
    if (this.#state === "finished") return;
    const receiving = this.#state === "open";
    this.#drop();
    this.#finish();
    this.#sink?.reject(reason);
    if (receiving) this.#events.cancelled(this, reason);
  }

  open(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller;
        if (this.#queuedBytes === 0) this.#deliver();
      },
      pull: () => {
        this.#wanted = true;
        this.#deliver();
      },
      cancel: (reason) => this.#giveUp(reason),
    });
  }

  #deliver(): void {
    if (this.#sink) return this.#deliverTo(this.#sink);
    const controller = this.#controller;
    if (!controller || this.#state === "finished") return;
    if (this.#head < this.#queue.length) {
      if (!this.#wanted) return;
      this.#wanted = false;
      const chunk = this.#shift();
      const { length } = chunk;
      this.#queuedBytes -= length;
      this.lastTakenAt = Date.now();
      controller.enqueue(chunk as Uint8Array<ArrayBuffer>);
      this.#events.taken(this, length);
      if (this.#head < this.#queue.length) return;
    }
    if (this.#state === "ended") {
      this.#finish();
      controller.close();
      // A pending BYOB read is answered only when told that nothing was written.
      controller.byobRequest?.respond(0);
    } else if (this.#state === "failed") {
      this.#finish();
      controller.error(this.#error);
    }
  }

  #deliverTo(sink: Sink): void {
    while (this.#head < this.#queue.length) {
      const chunk = this.#shift();
      this.#queuedBytes -= chunk.length;
      this.lastTakenAt = Date.now();
      try {
        sink.write(chunk);
      } catch (error) {
        this.#events.taken(this, chunk.length);
        return this.#giveUp(error);
      }
      this.#events.taken(this, chunk.length);
    }
    if (this.#state === "ended") {
      this.#finish();
      sink.resolve();
    } else if (this.#state === "failed") {
      this.#finish();
      sink.reject(this.#error);
    }
  }

  #shift(): Uint8Array {
    const chunk = this.#queue[this.#head];
    this.#queue[this.#head++] = undefined as unknown as Uint8Array;
    if (this.#head === this.#queue.length || this.#head === 1024) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    return chunk;
  }

  #drop(): void {
    this.#queue = [];
    this.#head = 0;
    this.#queuedBytes = 0;
  }

  #finish(): void {
    if (this.#state === "finished") return;
    this.#state = "finished";
    this.#events.finished(this);
  }
}

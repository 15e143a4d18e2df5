export interface InboundEvents {
  /** The consumer took so many bytes out of the queue. */
  taken(stream: InboundStream, bytes: number): void;
  /** The consumer wants no more. */
  cancelled(stream: InboundStream, reason: unknown): void;
  /** Nothing is queued any more and nothing will come. */
  finished(stream: InboundStream): void;
}

/** A stream the other side sends: a queue on one end, a readable byte stream on the other. */
export class InboundStream {
  readonly id: number;
  readonly #events: InboundEvents;
  #queue: Uint8Array[] = [];
  #head = 0;
  #queuedBytes = 0;
  #wanted = false;
  #controller: ReadableByteStreamController | undefined;
  #state: "open" | "ended" | "failed" | "finished" = "open";
  #error: unknown;
  /** When the consumer last took something; the start, before it did. */
  lastTakenAt: number = Date.now();
  /** Bytes the sender may still send (credit mode). */
  allowance = 0;
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

  /** `chunk` must be the only view of its buffer: byte streams transfer it. */
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
    if (!this.#controller) this.#finish();
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
      cancel: (reason) => {
        if (this.#state === "finished") return;
        const receiving = this.#state === "open";
        this.#drop();
        this.#finish();
        if (receiving) this.#events.cancelled(this, reason);
      },
    });
  }

  #deliver(): void {
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

import { InboundStream } from "./_inbound_stream.ts";
import { encodeReason, type OutboundLink, OutboundStream } from "./_outbound_stream.ts";
import type { Codec, Notification } from "./codec.ts";
import {
  decodeCredit,
  decodeFrame,
  encodeCredit,
  encodeFrame,
  FrameType,
  STREAM_WINDOW_BYTES,
} from "./frame.ts";
import type { JsonRpcNotification } from "./json_rpc.ts";
import { defaultLimits, type LimitValues } from "./limits.ts";
import { PaddockError } from "./paddock_error.ts";
import { asError, fromWireError } from "./wire_error.ts";

export type StreamLimits = Pick<
  LimitValues,
  | "streamChunkBytes"
  | "streamBufferBytes"
  | "streamStallMs"
  | "streamsPerConnection"
>;

export interface StreamHubOptions {
  /** `credit`: binary frames and windows (`paddock.v1`). `plain`: notifications, no windows. */
  mode: "plain" | "credit";
  codec: Codec;
  /**
   * Puts a message on the connection, in the order of the calls. A returned promise settles when
   * the connection can take more, and rejects when it is lost.
   */
  send(data: string | Uint8Array): void | Promise<void>;
  /**
   * Says that bytes given to `send` are not looked at any more once the promise it returned has
   * settled. The memory of sent frames is then used again instead of left to the collector.
   */
  recycle?: boolean;
  /**
   * Plain mode: stop and continue reading the socket. Without them, a stream that would need a
   * pause is failed instead.
   */
  onPause?(): void;
  onResume?(): void;
  /** Credit mode: nobody looks any more at the memory of a frame that was handed in. */
  onFree?(memory: ArrayBuffer): void;
  /** A message about streams that makes no sense. It is dropped; the connection lives on. */
  onProtocolError?(error: PaddockError): void;
  limits?: Partial<StreamLimits>;
  /**
   * Credit mode: what a stream taken here may hold unread, where that is more than the window every
   * stream starts with. A long path (client, server, guest) stays busy only when several frames are
   * under way; a side that is short of memory leaves this out.
   */
  readAheadBytes?: number;
  /** The protocol's, unless a test gives both sides of a connection another. */
  windowBytes?: number;
  /** First id of a stream this side sends; random when left out. */
  firstStreamId?: number;
}

/** A stream that is the caller's, who has yet to say how it will be read: one of the two, once. */
export interface ClaimedStream {
  /** Settles when the stream is over; a chunk is the stream's again when `write` has returned. */
  drainInto(write: (chunk: Uint8Array) => void, signal?: AbortSignal): Promise<void>;
  open(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** A stream that has its id and is not sent yet. Each step is taken once and in this order. */
export interface PreparedStream {
  id: number;
  announce(): void;
  run(): void;
  /** In place of the others: nobody will hear of it. */
  cancel(reason: unknown): void;
}

/** Windows that may be under way to a consumer that lets nothing wait. */
const DIRECT_WINDOWS = 4;

/**
 * The streams of one connection, both ways. The reader of a stream decides its pace: in credit mode
 * by windows, in plain mode by pausing the socket (inbound) and by `send` (outbound).
 */
export class StreamHub {
  readonly #options: StreamHubOptions;
  readonly #limits: StreamLimits;
  readonly #windowBytes: number;
  readonly #readAheadBytes: number;
  readonly #link: OutboundLink;
  readonly #outbound = new Map<number, OutboundStream>();
  /** By id while the sender may still name them. */
  readonly #receiving = new Map<number, InboundStream>();
  /** Started by the other side, not yet accepted here. */
  readonly #unclaimed = new Map<number, InboundStream>();
  /** Everything that may hold bytes. */
  readonly #live = new Set<InboundStream>();
  #nextStreamId: number;
  #bufferedBytes = 0;
  #pausedAt: number | undefined;
  #stallTimer: ReturnType<typeof setTimeout> | undefined;
  #closed: { error: unknown } | undefined;

  constructor(options: StreamHubOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#windowBytes = options.windowBytes ?? STREAM_WINDOW_BYTES;
    this.#readAheadBytes = Math.max(options.readAheadBytes ?? 0, this.#windowBytes);
    this.#nextStreamId = options.firstStreamId ?? randomStreamId();
    this.#link = {
      mode: options.mode,
      codec: options.codec,
      send: (data) => options.send(data),
      recycle: options.recycle ?? false,
      windowBytes: this.#windowBytes,
      chunkBytes: this.#limits.streamChunkBytes,
    };
  }

  /** Bytes received and not yet taken by their consumers. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  get openStreams(): { inbound: number; outbound: number } {
    return { inbound: this.#live.size, outbound: this.#outbound.size };
  }

  get paused(): boolean {
    return this.#pausedAt !== undefined;
  }

  /** Starts to send a stream; the id is for the message that tells the other side about it. */
  openOutbound(source: ReadableStream<Uint8Array>): number {
    const { id, announce, run } = this.prepareOutbound(source);
    announce();
    run();
    return id;
  }

  /** The same in steps: the message may then go between what announces the stream and what is in it. */
  prepareOutbound(source: ReadableStream<Uint8Array>): PreparedStream {
    const id = this.#nextStreamId++;
    const stream = new OutboundStream(id, source, this.#link);
    if (this.#closed) stream.cancel(this.#closed.error);
    else this.#outbound.set(id, stream);
    return {
      id,
      announce: () => {
        if (this.#outbound.has(id)) this.#notify({ type: "stream.start", streamId: id });
      },
      run: () => void stream.run().then(() => this.#outbound.delete(id)),
      cancel: (reason) => {
        stream.cancel(reason);
        this.#outbound.delete(id);
      },
    };
  }

  /**
   * The stream the other side sends under this id; each can be taken once. What comes ahead of its
   * reader is never less than the window.
   */
  acceptInbound(
    id: number,
    readAheadBytes: number = this.#readAheadBytes,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    const stream = this.#claim(id);
    const readable = stream.open();
    this.#readAhead(stream, readAheadBytes);
    return readable;
  }

  /**
   * Takes the stream for a consumer that is done with a chunk when its `write` returns: nothing waits
   * here, so much may be under way. The consumer may come a moment after the claim.
   */
  claimInbound(id: number): ClaimedStream {
    const stream = this.#claim(id);
    return {
      drainInto: (write, signal) => {
        const drained = stream.drainInto(write, signal);
        this.#readAhead(stream, Math.max(this.#readAheadBytes, DIRECT_WINDOWS * this.#windowBytes));
        return drained;
      },
      open: () => {
        const readable = stream.open();
        this.#readAhead(stream, this.#readAheadBytes);
        return readable;
      },
    };
  }

  #claim(id: number): InboundStream {
    const stream = this.#unclaimed.get(id);
    if (!stream) {
      throw new PaddockError("STREAM_NOT_FOUND", {
        message: `There is no stream ${id}, or it was taken before.`,
        details: { streamId: id },
      });
    }
    this.#unclaimed.delete(id);
    stream.lastTakenAt = Date.now();
    return stream;
  }

  /** Grants what the reader holds more than the window every stream starts with. */
  #readAhead(stream: InboundStream, bytes: number): void {
    const extra = bytes - this.#windowBytes;
    if (this.#options.mode !== "credit" || extra <= 0 || !stream.receiving) return;
    stream.grantEvery = bytes / 4;
    stream.allowance += extra;
    this.#send(encodeCredit(stream.id, extra));
  }

  /** Drops a stream that was started and that nobody wants. Unknown ids are no error. */
  refuseInbound(id: number, reason?: unknown): void {
    if (this.#unclaimed.has(id)) this.acceptInbound(id).cancel(reason).catch(() => {});
  }

  /**
   * A message from the other side: true when it was about a stream. Never throws. A binary frame
   * that fills its ArrayBuffer is taken over; any other is copied.
   */
  handle(message: JsonRpcNotification | Uint8Array): boolean {
    if (this.#closed) return message instanceof Uint8Array || isStreamMethod(message.method);
    try {
      if (message instanceof Uint8Array) {
        this.#handleFrame(message);
        return true;
      }
      if (!isStreamMethod(message.method)) return false;
      const notification = this.#options.codec.decodeNotification(message);
      if (notification) this.#handleNotification(notification);
    } catch (error) {
      this.#options.onProtocolError?.(PaddockError.from(error));
    }
    return true;
  }

  /** The connection is over: every stream ends with the error. Idempotent. */
  close(reason: unknown = new PaddockError("CONNECTION_LOST")): void {
    if (this.#closed) return;
    this.#closed = { error: reason };
    clearTimeout(this.#stallTimer);
    this.#pausedAt = undefined;
    for (const stream of this.#outbound.values()) stream.cancel(reason);
    for (const stream of [...this.#unclaimed.values()]) stream.abort(reason);
    for (const stream of [...this.#live]) stream.fail(reason);
    this.#receiving.clear();
    this.#unclaimed.clear();
  }

  #handleFrame(bytes: Uint8Array): void {
    const { type, streamId, payload } = decodeFrame(bytes);
    switch (type) {
      case FrameType.Data: {
        const own = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
        const direct = this.#receiving.get(streamId)?.direct ?? false;
        this.#receive(streamId, own || direct ? payload : new Uint8Array(payload));
        if (direct && own) this.#options.onFree?.(bytes.buffer as ArrayBuffer);
        break;
      }
      case FrameType.End:
        this.#end(streamId);
        break;
      case FrameType.Error:
        this.#fail(streamId, decodeReason(payload) ?? new Error("The stream failed"));
        break;
      case FrameType.Cancel:
        this.#cancelOutbound(streamId, decodeReason(payload));
        break;
      case FrameType.Credit:
        this.#outbound.get(streamId)?.grant(decodeCredit(payload));
        break;
    }
  }

  #handleNotification(notification: Notification): void {
    switch (notification.type) {
      case "stream.start":
        this.#start(notification.streamId);
        break;
      case "stream.enqueue":
        this.#receive(notification.streamId, ownBuffer(notification.data));
        break;
      case "stream.end":
        this.#end(notification.streamId);
        break;
      case "stream.error":
        this.#fail(notification.streamId, notification.error ?? new Error("The stream failed"));
        break;
      case "stream.cancel":
        this.#cancelOutbound(notification.streamId, notification.reason);
        break;
    }
  }

  #start(id: number): void {
    if (this.#receiving.has(id) || this.#unclaimed.has(id)) {
      throw new PaddockError("STREAM_NOT_FOUND", { message: `Stream ${id} was started before.` });
    }
    if (this.#live.size >= this.#limits.streamsPerConnection) this.#dropForgotten();
    if (this.#live.size >= this.#limits.streamsPerConnection) {
      const error = new PaddockError("TOO_MANY_STREAMS", {
        message: `The connection has ${this.#live.size} streams, the most it may have.`,
        details: { limit: "streamsPerConnection", max: this.#limits.streamsPerConnection },
      });
      this.#sendCancel(id, error);
      throw error;
    }
    const stream = new InboundStream(id, {
      taken: (stream, bytes) => this.#taken(stream, bytes),
      cancelled: (stream, reason) => this.#cancelled(stream, reason),
      finished: (stream) => this.#finished(stream),
    });
    stream.allowance = this.#windowBytes;
    stream.grantEvery = this.#windowBytes / 4;
    this.#receiving.set(id, stream);
    this.#unclaimed.set(id, stream);
    this.#live.add(stream);
  }

  #receive(id: number, chunk: Uint8Array): void {
    const stream = this.#receiving.get(id);
    // Empty chunks mean nothing; unknown ids are streams that were cancelled meanwhile.
    if (!stream || chunk.length === 0) return;
    if (this.#options.mode === "credit") {
      stream.allowance -= chunk.length;
      if (stream.allowance < 0) return this.#overflow(stream, "its credit");
    } else {
      const { streamBufferBytes } = this.#limits;
      const most = this.#options.onPause ? 2 * streamBufferBytes : streamBufferBytes;
      if (this.#bufferedBytes + chunk.length > most && stream.queuedBytes > 0) {
        return this.#overflow(stream, `limits.streamBufferBytes, ${streamBufferBytes} bytes`);
      }
    }
    const before = stream.queuedBytes;
    this.#bufferedBytes += chunk.length;
    stream.push(chunk);
    if (stream.queuedBytes > before) this.#checkPause();
  }

  #overflow(stream: InboundStream, granted: string): void {
    this.#discard(
      stream,
      new PaddockError("STREAM_OVERFLOW", {
        message: `The sender sent more than it was granted (${granted}).`,
        details: { streamId: stream.id },
      }),
    );
  }

  /** Fails a stream at once, forgets what is queued and tells the sender. */
  #discard(stream: InboundStream, error: PaddockError): void {
    this.#receiving.delete(stream.id);
    this.#unclaimed.delete(stream.id);
    const receiving = stream.receiving;
    this.#bufferedBytes -= stream.queuedBytes;
    stream.abort(error);
    if (receiving) this.#sendCancel(stream.id, error);
    this.#checkPause();
  }

  #end(id: number): void {
    const stream = this.#receiving.get(id);
    this.#receiving.delete(id);
    stream?.end();
  }

  #fail(id: number, error: unknown): void {
    const stream = this.#receiving.get(id);
    this.#receiving.delete(id);
    stream?.fail(error);
  }

  #taken(stream: InboundStream, bytes: number): void {
    this.#bufferedBytes -= bytes;
    if (this.#options.mode === "credit") {
      stream.ungranted += bytes;
      // Few large grants rather than one for each chunk; a quarter keeps the sender busy.
      if (stream.receiving && stream.ungranted >= stream.grantEvery) {
        const granted = stream.ungranted;
        stream.ungranted = 0;
        stream.allowance += granted;
        this.#send(encodeCredit(stream.id, granted));
      }
    } else {
      this.#checkPause();
    }
  }

  #cancelled(stream: InboundStream, reason: unknown): void {
    this.#receiving.delete(stream.id);
    this.#sendCancel(stream.id, reason ?? new PaddockError("STREAM_CANCELLED"));
  }

  #finished(stream: InboundStream): void {
    this.#live.delete(stream);
    this.#recount();
  }

  /** After a consumer dropped a queue without taking it. */
  #recount(): void {
    let bytes = 0;
    for (const stream of this.#live) bytes += stream.queuedBytes;
    this.#bufferedBytes = bytes;
    this.#checkPause();
  }

  #cancelOutbound(id: number, reason: Error | null): void {
    this.#outbound.get(id)?.cancel(reason ?? new PaddockError("STREAM_CANCELLED"));
  }

  #checkPause(): void {
    const { onPause, onResume } = this.#options;
    if (this.#options.mode !== "plain" || !onPause || this.#closed) return;
    if (this.#pausedAt === undefined && this.#bufferedBytes > this.#limits.streamBufferBytes) {
      this.#pausedAt = Date.now();
      this.#armStallTimer(this.#limits.streamStallMs);
      onPause.call(this.#options);
    } else if (
      this.#pausedAt !== undefined && this.#bufferedBytes <= this.#limits.streamBufferBytes / 2
    ) {
      this.#pausedAt = undefined;
      clearTimeout(this.#stallTimer);
      onResume?.call(this.#options);
    }
  }

  #armStallTimer(delayMs: number): void {
    clearTimeout(this.#stallTimer);
    this.#stallTimer = setTimeout(() => this.#dropStalled(), delayMs);
  }

  /** While the socket is paused, one stream that nobody reads holds up all the others. */
  #dropStalled(): void {
    if (this.#pausedAt === undefined) return;
    const { streamStallMs } = this.#limits;
    const now = Date.now();
    let next = streamStallMs;
    for (const stream of [...this.#live]) {
      if (stream.queuedBytes === 0) continue;
      const idle = now - Math.max(stream.lastTakenAt, this.#pausedAt ?? now);
      if (idle < streamStallMs) {
        next = Math.min(next, streamStallMs - idle);
        continue;
      }
      this.#discard(
        stream,
        new PaddockError("STREAM_STALLED", {
          message: `Nobody read the stream for ${
            streamStallMs / 1000
          } s while its buffer was full.`,
          details: { limit: "streamStallMs", max: streamStallMs },
        }),
      );
    }
    if (this.#pausedAt !== undefined) this.#armStallTimer(Math.max(next, 1));
  }

  /** Streams whose call was refused, or never came: nobody will ask for them any more. */
  #dropForgotten(): void {
    const { streamStallMs } = this.#limits;
    for (const stream of [...this.#unclaimed.values()]) {
      if (Date.now() - stream.lastTakenAt >= streamStallMs) {
        this.#discard(stream, new PaddockError("STREAM_STALLED"));
      }
    }
  }

  #sendCancel(id: number, reason: unknown): void {
    if (this.#options.mode === "credit") {
      this.#send(encodeFrame(FrameType.Cancel, id, encodeReason(reason)));
    } else {
      this.#notify({ type: "stream.cancel", streamId: id, reason: asError(reason) });
    }
  }

  #notify(notification: Notification): void {
    this.#send(this.#options.codec.encodeNotification(notification));
  }

  /** For small messages nobody waits for; a lost connection is told by whoever owns it. */
  #send(data: string | Uint8Array): void {
    if (this.#closed) return;
    try {
      const sent = this.#options.send(data);
      if (sent) sent.catch(() => {});
    } catch {
      // As above.
    }
  }
}

function isStreamMethod(method: string): boolean {
  return method.startsWith("$sandbox.stream.");
}

function ownBuffer(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
    ? bytes
    : new Uint8Array(bytes);
}

function decodeReason(payload: Uint8Array): Error | null {
  if (payload.length === 0) return null;
  try {
    return fromWireError(JSON.parse(new TextDecoder().decode(payload)));
  } catch {
    return new Error("Unknown reason");
  }
}

/**
 * Published clients keep streams of all their sandboxes in one table, by id: two agents that both
 * counted from 0 would mix up their streams.
 */
function randomStreamId(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high >>> 19) * 0x1_0000_0000 + low;
}

import { encodeFrame, FRAME_HEADER_BYTES, FrameType, writeFrameHeader } from "./frame.ts";
import { PaddockError } from "./paddock_error.ts";
import { toWireError } from "./wire_error.ts";
import type { Codec } from "./codec.ts";

export interface OutboundLink {
  mode: "plain" | "credit";
  codec: Codec;
  send(data: string | Uint8Array): void | Promise<void>;
  /** What a settled promise of `send` means for the bytes that were sent. */
  recycle: boolean;
  windowBytes: number;
  chunkBytes: number;
}

const FIRST_READ_BYTES = 16 * 1024;

/** Thrown out of the pump when the connection, not the source, is at fault. */
class SendFailed extends Error {}

/** A stream this side sends: reads the source no faster than the connection and credit allow. */
export class OutboundStream {
  readonly id: number;
  readonly #link: OutboundLink;
  readonly #source: ReadableStream<Uint8Array>;
  #reader: ReadableStreamDefaultReader<Uint8Array> | ReadableStreamBYOBReader | undefined;
  #credit: number;
  #wake: (() => void) | undefined;
  #stopped = false;

  constructor(id: number, source: ReadableStream<Uint8Array>, link: OutboundLink) {
    this.id = id;
    this.#link = link;
    this.#source = source;
    this.#credit = link.windowBytes;
  }

  /** Settles when the stream is over, whichever way; never rejects. */
  async run(): Promise<void> {
    if (this.#stopped) return;
    try {
      if (this.#link.mode === "plain") await this.#pumpPlain();
      else await this.#pumpCredit();
    } catch (error) {
      if (this.#stopped) return;
      this.#stopped = true;
      if (error instanceof SendFailed) {
        this.#cancelSource(error.cause);
        return;
      }
      this.#cancelSource(error);
      try {
        await this.#link.send(this.#failure(error));
      } catch {
        // The connection is gone, and with it whoever would want to know.
      }
    }
  }

  grant(bytes: number): void {
    // More than this is nobody's honest grant; it keeps the sum a safe integer.
    this.#credit = Math.min(this.#credit + bytes, 0xffff_ffff);
    this.#wake?.();
  }

  /** The reader gave up, or the connection is lost. */
  cancel(reason: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancelSource(reason);
    this.#wake?.();
  }

  #cancelSource(reason: unknown): void {
    const target = this.#reader ?? this.#source;
    target.cancel(reason).catch(() => {});
  }

  async #pumpPlain(): Promise<void> {
    const { codec, chunkBytes } = this.#link;
    const reader = this.#source.getReader();
    this.#reader = reader;
    while (true) {
      const { value, done } = await reader.read();
      if (this.#stopped) return;
      if (done) break;
      const chunk = requireBytes(value);
      for (let at = 0; at < chunk.length; at += chunkBytes) {
        const data = chunk.subarray(at, at + chunkBytes);
        await this.#send(
          codec.encodeNotification({ type: "stream.enqueue", streamId: this.id, data }),
        );
        if (this.#stopped) return;
      }
    }
    this.#stopped = true;
    await this.#send(codec.encodeNotification({ type: "stream.end", streamId: this.id }));
  }

  async #pumpCredit(): Promise<void> {
    const byob = this.#byobReader();
    if (byob) await this.#pumpCreditInPlace(byob);
    else await this.#pumpCreditCopying();
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#send(encodeFrame(FrameType.End, this.id));
  }

  #byobReader(): ReadableStreamBYOBReader | undefined {
    try {
      const reader = this.#source.getReader({ mode: "byob" });
      this.#reader = reader;
      return reader;
    } catch {
      return undefined;
    }
  }

  /** Reads right behind the place of the frame's header: the bytes are not moved again. */
  async #pumpCreditInPlace(reader: ReadableStreamBYOBReader): Promise<void> {
    const { chunkBytes, recycle } = this.#link;
    let readBytes = Math.min(FIRST_READ_BYTES, chunkBytes);
    let spare: ArrayBuffer | undefined;
    while (await this.#hasCredit()) {
      const size = Math.min(this.#credit, readBytes);
      const buffer = spare && spare.byteLength >= FRAME_HEADER_BYTES + size
        ? spare
        : new ArrayBuffer(FRAME_HEADER_BYTES + readBytes);
      spare = undefined;
      const { value, done } = await reader.read(new Uint8Array(buffer, FRAME_HEADER_BYTES, size));
      if (this.#stopped || done) return;
      const { length } = value;
      if (length === 0) continue;
      this.#credit -= length;
      const frame = new Uint8Array(value.buffer, 0, FRAME_HEADER_BYTES + length);
      writeFrameHeader(frame, FrameType.Data, this.id);
      if (length === readBytes) readBytes = Math.min(readBytes * 2, chunkBytes);
      else if (length < readBytes / 4) readBytes = Math.max(readBytes / 2, FIRST_READ_BYTES);
      if (await this.#send(frame) && recycle) spare = value.buffer;
    }
  }

  async #pumpCreditCopying(): Promise<void> {
    const { chunkBytes } = this.#link;
    const reader = this.#source.getReader();
    this.#reader = reader;
    while (!this.#stopped) {
      const { value, done } = await reader.read();
      if (this.#stopped || done) return;
      const chunk = requireBytes(value);
      let at = 0;
      while (at < chunk.length) {
        if (!await this.#hasCredit()) return;
        const size = Math.min(this.#credit, chunkBytes, chunk.length - at);
        this.#credit -= size;
        await this.#send(encodeFrame(FrameType.Data, this.id, chunk.subarray(at, at + size)));
        at += size;
      }
    }
  }

  /** False when the stream was stopped meanwhile. */
  async #hasCredit(): Promise<boolean> {
    while (this.#credit <= 0 && !this.#stopped) {
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
    return !this.#stopped;
  }

  /** True when the connection was waited for. */
  async #send(data: string | Uint8Array): Promise<boolean> {
    try {
      const sent = this.#link.send(data);
      if (!sent) return false;
      await sent;
      return true;
    } catch (error) {
      throw new SendFailed("the connection did not take the message", { cause: error });
    }
  }

  #failure(error: unknown): string | Uint8Array {
    const { mode, codec } = this.#link;
    return mode === "credit"
      ? encodeFrame(FrameType.Error, this.id, encodeReason(error))
      : codec.encodeNotification({
        type: "stream.error",
        streamId: this.id,
        error: error instanceof Error ? error : new Error(String(error)),
      });
  }
}

export function encodeReason(reason: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(toWireError(reason)));
}

function requireBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) {
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  throw new PaddockError("INVALID_ARGUMENT", {
    message: `A stream of bytes must give Uint8Array chunks, not ${typeof chunk}.`,
  });
}

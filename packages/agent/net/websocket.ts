import { closeCodes } from "@paddock/protocol";

/** The other side broke the protocol, or a limit; the code says which. */
class CloseError extends Error {
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;
const PROTOCOL_ERROR = 1002;
const INVALID_DATA = 1007;

const READ_BYTES = 64 * 1024;
/** What is to be sent is collected for writes of at most this many bytes. */
const WRITE_BYTES = 512 * 1024;
const HIGH_WATER_BYTES = 128 * 1024;
/** A copy of more than this takes longer than a write of its own. */
const LARGE_BYTES = 128 * 1024;
const CLOSE_TIMEOUT_MS = 2_000;
/** A connection that has sent nothing for so long keeps no large buffers. */
const QUIET_MS = 2_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A frame that found no room yet. */
interface Waiting {
  header: Uint8Array;
  payload: Uint8Array;
  taken: PromiseWithResolvers<void>;
}

export type WebSocketConn =
  & Pick<Deno.Conn, "read" | "write" | "close">
  & Partial<Pick<Deno.Conn, "closeWrite">>;

/**
 * The server's side of a WebSocket over a bare connection: whoever reads messages sets the pace,
 * whoever sends them learns when to wait, and a large message is read straight into its own buffer.
 */
export class ServerWebSocket {
  readonly #conn: WebSocketConn;
  readonly #maxMessageBytes: number;
  #input: Uint8Array;
  #start = 0;
  #end = 0;
  /** Of a message that was given back: the next of that length is read into it. */
  #spare: ArrayBuffer | undefined;
  /** Collects what is sent while the other buffer is being written. */
  #collected = new Uint8Array(0);
  #collectedBytes = 0;
  #idleBuffer = new Uint8Array(0);
  readonly #waiting: Waiting[] = [];
  #queuedBytes = 0;
  #writing = false;
  #lastLarge = 0;
  #releaseTimer: ReturnType<typeof setTimeout> | undefined;
  #closing = false;
  #closed = false;
  #drained: PromiseWithResolvers<void> | undefined;

  /** `rest` is what was read behind the head of the upgrade request. */
  constructor(conn: WebSocketConn, rest: Uint8Array, maxMessageBytes: number) {
    this.#conn = conn;
    this.#maxMessageBytes = maxMessageBytes;
    this.#input = new Uint8Array(Math.max(READ_BYTES, rest.length));
    this.#input.set(rest);
    this.#end = rest.length;
  }

  /** Bytes accepted by `send` and not yet handed to the system. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Settles once no more than the high-water mark waits to be sent. */
  async drain(): Promise<void> {
    while (this.#queuedBytes > HIGH_WATER_BYTES && !this.#closed) {
      this.#drained ??= Promise.withResolvers<void>();
      await this.#drained.promise;
    }
  }

  /**
   * Keeps the order. Returns a promise when there is no room: whoever sends much waits for it. The
   * bytes are the caller's again once `send` has returned, or its promise has settled.
   */
  send(data: string | Uint8Array): void | Promise<void> {
    if (this.#closing || this.#closed) throw new Error("The WebSocket is closed");
    const isText = typeof data === "string";
    return this.#enqueue(
      isText ? Opcode.Text : Opcode.Binary,
      isText ? encoder.encode(data) : data,
    );
  }

  /**
   * Messages until the other side closes or the connection ends. What breaks the protocol closes
   * the connection with the code for it. A binary message fills its own ArrayBuffer.
   */
  async *messages(): AsyncGenerator<string | Uint8Array<ArrayBuffer>> {
    try {
      while (true) {
        const message = await this.#nextMessage();
        if (message === undefined) return;
        yield message;
      }
    } catch (error) {
      if (!(error instanceof CloseError)) throw error;
      await this.#sayGoodbye(error.code, error.message);
      await this.#dropInput();
    } finally {
      this.#destroy();
    }
  }

  /**
   * Takes back the memory of a binary message. In a guest new memory is the dearest part of receiving:
   * every page of it is a fault that the machine's kernel has to be asked about.
   */
  reuse(memory: ArrayBuffer): void {
    if (memory.byteLength < LARGE_BYTES) return;
    this.#spare = memory;
    this.#lastLarge = Date.now();
    this.#releaseWhenQuiet();
  }

  /** Says goodbye and ends the connection. Idempotent. */
  async close(code: number = closeCodes.normal, reason = ""): Promise<void> {
    await this.#sayGoodbye(code, reason);
    this.#destroy();
  }

  async #sayGoodbye(code: number, reason: string): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const text = encoder.encode(reason).subarray(0, 120);
    const payload = new Uint8Array(2 + text.length);
    new DataView(payload.buffer).setUint16(0, code);
    payload.set(text, 2);
    const timer = setTimeout(() => this.#destroy(), CLOSE_TIMEOUT_MS);
    try {
      await this.#enqueue(Opcode.Close, payload);
      await this.#flushed();
    } catch {
      // It is gone already.
    }
    clearTimeout(timer);
  }

  /**
   * A connection that is closed while input waits is reset, and the reset overtakes the goodbye:
   * what a refused client still sends is read and dropped until it ends, or time is up.
   */
  async #dropInput(): Promise<void> {
    const timer = setTimeout(() => this.#destroy(), CLOSE_TIMEOUT_MS);
    try {
      await this.#conn.closeWrite?.();
      while (!this.#closed && await this.#conn.read(this.#input) !== null);
    } catch {
      // It is gone already.
    }
    clearTimeout(timer);
  }

  #destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closing = true;
    try {
      this.#conn.close();
    } catch {
      // The other side was first.
    }
    const error = new Error("The WebSocket is closed");
    for (const { taken } of this.#waiting.splice(0)) {
      taken.promise.catch(() => {});
      taken.reject(error);
    }
    this.#queuedBytes = 0;
    clearTimeout(this.#releaseTimer);
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  async #nextMessage(): Promise<string | Uint8Array<ArrayBuffer> | undefined> {
    let opcode: number | undefined;
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let total = 0;
    while (true) {
      const head = await this.#frameHead();
      if (!head) return undefined;
      if (head.opcode >= Opcode.Close) {
        if (!head.final || head.length > 125) throw new CloseError(PROTOCOL_ERROR, "bad control");
        const payload = await this.#payload(head);
        if (!payload) return undefined;
        if (head.opcode === Opcode.Ping) this.#reply(Opcode.Pong, payload);
        if (head.opcode === Opcode.Close) {
          const code = payload.length >= 2 ? new DataView(payload.buffer).getUint16(0) : undefined;
          await this.close(code !== undefined && isSendable(code) ? code : closeCodes.normal);
          return undefined;
        }
        continue;
      }
      if ((head.opcode === Opcode.Continuation) !== (opcode !== undefined)) {
        throw new CloseError(PROTOCOL_ERROR, "unexpected continuation");
      }
      opcode ??= head.opcode;
      total += head.length;
      if (total > this.#maxMessageBytes) {
        throw new CloseError(
          closeCodes.messageTooBig,
          `a message may have ${this.#maxMessageBytes} bytes`,
        );
      }
      const payload = await this.#payload(head);
      if (!payload) return undefined;
      parts.push(payload);
      if (!head.final) {
        if (parts.length > 4096) throw new CloseError(closeCodes.messageTooBig, "too many parts");
        continue;
      }
      const whole = parts.length === 1 ? parts[0] : joined(parts, total);
      return opcode === Opcode.Text ? decodeText(whole) : whole;
    }
  }

  async #frameHead(): Promise<FrameHead | undefined> {
    if (!await this.#need(2)) return undefined;
    const first = this.#input[this.#start];
    const second = this.#input[this.#start + 1];
    const opcode = first & 0x0f;
    if (first & 0x70) throw new CloseError(PROTOCOL_ERROR, "no extension was agreed on");
    if (!(second & 0x80)) throw new CloseError(PROTOCOL_ERROR, "clients mask");
    if (opcode > Opcode.Pong || opcode > Opcode.Binary && opcode < Opcode.Close) {
      throw new CloseError(PROTOCOL_ERROR, "unknown opcode");
    }
    let length = second & 0x7f;
    const extra = length === 127 ? 8 : length === 126 ? 2 : 0;
    if (!await this.#need(2 + extra + 4)) return undefined;
    const view = new DataView(this.#input.buffer, this.#start + 2, extra + 4);
    if (extra === 2) length = view.getUint16(0);
    if (extra === 8) length = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
    const mask = view.getUint32(extra, true);
    this.#start += 2 + extra + 4;
    if (length > this.#maxMessageBytes) {
      throw new CloseError(
        closeCodes.messageTooBig,
        `a message may have ${this.#maxMessageBytes} bytes`,
      );
    }
    return { final: (first & 0x80) !== 0, opcode, length, mask };
  }

  /** The payload in a buffer of its own: what has arrived is copied, the rest read into place. */
  async #payload({ length, mask }: FrameHead): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const payload = this.#memory(length);
    const here = Math.min(length, this.#end - this.#start);
    payload.set(this.#input.subarray(this.#start, this.#start + here));
    this.#start += here;
    for (let filled = here; filled < length;) {
      const read = await this.#conn.read(payload.subarray(filled));
      if (read === null) return undefined;
      filled += read;
    }
    if (mask !== 0) unmask(payload, mask);
    return payload;
  }

  #memory(length: number): Uint8Array<ArrayBuffer> {
    const spare = this.#spare;
    if (spare?.byteLength !== length) return new Uint8Array(length);
    this.#spare = undefined;
    return new Uint8Array(spare);
  }

  async #need(bytes: number): Promise<boolean> {
    while (this.#end - this.#start < bytes) {
      if (this.#start > 0) {
        this.#input.copyWithin(0, this.#start, this.#end);
        this.#end -= this.#start;
        this.#start = 0;
      }
      const read = await this.#conn.read(this.#input.subarray(this.#end));
      if (read === null) return false;
      this.#end += read;
    }
    return true;
  }

  #reply(opcode: number, payload: Uint8Array): void {
    if (this.#closing) return;
    // Whoever asks without reading the answers gets no more of them.
    if (this.#queuedBytes < HIGH_WATER_BYTES) this.#enqueue(opcode, payload)?.catch(() => {});
  }

  #enqueue(opcode: number, payload: Uint8Array): void | Promise<void> {
    const header = frameHeader(opcode, payload.length);
    this.#queuedBytes += header.length + payload.length;
    const large = payload.length >= LARGE_BYTES && !this.#writing;
    if (!large && this.#waiting.length === 0 && this.#collect(header, payload)) {
      this.#writeSoon();
      return;
    }
    const taken = Promise.withResolvers<void>();
    this.#waiting.push({ header, payload, taken });
    this.#writeSoon();
    return taken.promise;
  }

  /** Copies a frame behind those that are collected, if there is room. */
  #collect(header: Uint8Array, payload: Uint8Array): boolean {
    const end = this.#collectedBytes + header.length + payload.length;
    if (end > WRITE_BYTES) return false;
    if (end > this.#collected.length) {
      const larger = new Uint8Array(end > READ_BYTES ? WRITE_BYTES : READ_BYTES);
      larger.set(this.#collected.subarray(0, this.#collectedBytes));
      this.#collected = larger;
    }
    this.#collected.set(header, this.#collectedBytes);
    this.#collected.set(payload, this.#collectedBytes + header.length);
    this.#collectedBytes = end;
    return true;
  }

  /** Frames that are sent in one go are written in one go. */
  #writeSoon(): void {
    if (this.#writing) return;
    this.#writing = true;
    queueMicrotask(() => void this.#write());
  }

  async #write(): Promise<void> {
    try {
      while (!this.#closed) {
        if (this.#collectedBytes > 0) await this.#writeCollected();
        else if (this.#waiting.length > 0) await this.#writeLarge();
        else break;
        if (this.#queuedBytes <= HIGH_WATER_BYTES) {
          this.#drained?.resolve();
          this.#drained = undefined;
        }
      }
    } catch {
      this.#destroy();
    } finally {
      this.#writing = false;
      this.#lastLarge = Date.now();
      this.#releaseWhenQuiet();
    }
  }

  async #writeCollected(): Promise<void> {
    const buffer = this.#collected;
    const bytes = this.#collectedBytes;
    this.#collected = this.#idleBuffer;
    this.#collectedBytes = 0;
    while (this.#waiting.length > 0) {
      const { header, payload, taken } = this.#waiting[0];
      if (!this.#collect(header, payload)) break;
      this.#waiting.shift();
      taken.resolve();
    }
    await this.#writeAll(buffer.subarray(0, bytes));
    this.#idleBuffer = buffer;
    this.#queuedBytes -= bytes;
  }

  /** Memory for each write anew would cost more than the write; kept for good, it would add up. */
  #releaseWhenQuiet(): void {
    const holds = this.#spare !== undefined || this.#collected.length > READ_BYTES;
    if (this.#releaseTimer !== undefined || this.#closed || !holds) return;
    this.#releaseTimer = setTimeout(() => {
      this.#releaseTimer = undefined;
      if (this.#writing || Date.now() - this.#lastLarge < QUIET_MS) {
        this.#releaseWhenQuiet();
        return;
      }
      this.#idleBuffer = new Uint8Array(0);
      this.#collected = this.#idleBuffer;
      this.#spare = undefined;
    }, QUIET_MS);
  }

  /** A frame that no buffer holds is written from where it is. */
  async #writeLarge(): Promise<void> {
    const { header, payload, taken } = this.#waiting.shift()!;
    try {
      await this.#writeAll(header);
      await this.#writeAll(payload);
    } catch (error) {
      taken.promise.catch(() => {});
      taken.reject(error);
      throw error;
    }
    this.#queuedBytes -= header.length + payload.length;
    taken.resolve();
  }

  async #flushed(): Promise<void> {
    while (this.#writing && !this.#closed) {
      this.#drained ??= Promise.withResolvers<void>();
      await Promise.race([this.#drained.promise, new Promise((later) => setTimeout(later, 5))]);
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }
}

interface FrameHead {
  final: boolean;
  opcode: number;
  length: number;
  /** As it lies in memory, little-endian. */
  mask: number;
}

function frameHeader(opcode: number, length: number): Uint8Array {
  const extra = length > 0xffff ? 8 : length > 125 ? 2 : 0;
  const header = new Uint8Array(2 + extra);
  header[0] = 0x80 | opcode;
  header[1] = extra === 8 ? 127 : extra === 2 ? 126 : length;
  const view = new DataView(header.buffer);
  if (extra === 2) view.setUint16(2, length);
  if (extra === 8) {
    view.setUint32(2, Math.floor(length / 2 ** 32));
    view.setUint32(6, length >>> 0);
  }
  return header;
}

/** `bytes` fill their buffer, so that whole words of it can be worked on. */
function unmask(bytes: Uint8Array<ArrayBuffer>, mask: number): void {
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >>> 2);
  for (let i = 0; i < words.length; i++) words[i] ^= mask;
  for (let i = words.length * 4; i < bytes.length; i++) bytes[i] ^= mask >>> ((i & 3) * 8);
}

function joined(parts: Uint8Array[], total: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new CloseError(INVALID_DATA, "text must be UTF-8");
  }
}

function isSendable(code: number): boolean {
  return code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code) ||
    code >= 3000 && code <= 4999;
}

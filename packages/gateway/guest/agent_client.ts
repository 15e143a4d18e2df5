import {
  isFailure,
  isNotification,
  isSuccess,
  type JsonRpcMessage,
  type LimitValues,
  type MethodInput,
  type MethodName,
  type MethodOutput,
  PaddockError,
  richCodec,
  STREAM_WINDOW_BYTES,
  StreamHub,
  SUBPROTOCOL,
} from "@paddock/protocol";
import type { Buffer } from "node:buffer";
import { WebSocket } from "ws";

/** The largest frame of a stream is 1 MiB; nothing that is asked for here has a larger answer. */
const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;
/** More than this unsent means that the guest makes us talk and does not listen. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;
/** Below it a sender need not wait for the socket. */
const UNSENT_BYTES = 1024 * 1024;
/** Messages that answer nothing. */
const MAX_STRAY_MESSAGES = 1_000;
const CALL_MS = 30_000;
const CLOSE_MS = 2_000;

export interface AgentAddress {
  host: string;
  port: number;
  token: string;
}

export interface AgentClientOptions {
  limits: Pick<LimitValues, "upgradeTimeoutMs">;
  /** Streams that may come in at once; it bounds what the guest can make this side hold. */
  maxStreams: number;
  signal: AbortSignal;
}

interface PendingCall {
  method: MethodName;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * A connection of the gateway's own to a sandbox's agent. The guest is hostile: what it sends is
 * bounded in size and number, every call has a deadline, and a guest that breaks the rules loses the
 * connection. Errors of calls carry the guest's text, which is for its own visitors and not for logs.
 */
export class AgentClient implements AsyncDisposable {
  /** Settles when the connection is over, however it ended; never rejects. */
  readonly closed: Promise<void>;
  readonly #socket: WebSocket;
  readonly #streams: StreamHub;
  readonly #maxBufferedBytes: number;
  readonly #pending = new Map<number, PendingCall>();
  #nextId = 1;
  #strays = 0;
  #over = false;

  private constructor(socket: WebSocket, maxStreams: number) {
    this.#socket = socket;
    this.#maxBufferedBytes = maxStreams * STREAM_WINDOW_BYTES;
    this.#streams = new StreamHub({
      mode: "credit",
      codec: richCodec,
      send: (data) => this.#send(data),
      onProtocolError: () => this.#stray(),
      limits: { streamsPerConnection: maxStreams },
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#end();
        resolve();
      });
    });
    socket.on("error", () => socket.terminate());
    socket.on("ping", () => this.#checkFlood());
    socket.on("message", (data: Buffer, binary: boolean) => this.#receive(data, binary));
  }

  /** Throws AGENT_UNREACHABLE. */
  static async connect(
    { host, port, token }: AgentAddress,
    { limits, maxStreams, signal }: AgentClientOptions,
  ): Promise<AgentClient> {
    signal.throwIfAborted();
    const socket = new WebSocket(`ws://${host}:${port}/rpc`, [SUBPROTOCOL], {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      followRedirects: false,
      handshakeTimeout: limits.upgradeTimeoutMs,
      // Masks protect HTTP caches from scripts in browsers; zeros save a pass over every byte.
      generateMask: () => {},
    });
    const client = new AgentClient(socket, maxStreams);
    const abort = () => socket.terminate();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("open", resolve);
        socket.once("error", reject);
        socket.once("close", () => reject(new Error("the connection was closed")));
      });
      if (socket.protocol !== SUBPROTOCOL) throw new Error(`no ${SUBPROTOCOL}`);
    } catch (cause) {
      socket.terminate();
      signal.throwIfAborted();
      throw new PaddockError("AGENT_UNREACHABLE", { cause });
    } finally {
      signal.removeEventListener("abort", abort);
    }
    return client;
  }

  get isOpen(): boolean {
    return !this.#over;
  }

  /**
   * Throws what the guest threw, CONNECTION_LOST, or REQUEST_TIMED_OUT; `deadlineMs` null is for what
   * takes as long as the guest pleases.
   */
  async call<M extends MethodName>(
    method: M,
    input: MethodInput<M>,
    { deadlineMs = CALL_MS }: { deadlineMs?: number | null } = {},
  ): Promise<MethodOutput<M>> {
    if (this.#over) throw new PaddockError("CONNECTION_LOST");
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<MethodOutput<M>>();
    this.#pending.set(id, { method, resolve: resolve as (value: unknown) => void, reject });
    const timer = deadlineMs === null ? undefined : setTimeout(() => {
      this.#pending.delete(id);
      reject(new PaddockError("REQUEST_TIMED_OUT"));
      // What the late answer would open, nobody would close.
      this.#socket.terminate();
    }, deadlineMs);
    try {
      const params = richCodec.encodeParams(method, input);
      void this.#send(richCodec.encodeMessage({ jsonrpc: "2.0", id, method, params }));
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  /** The id is for the call that consumes the stream. */
  sendStream(source: ReadableStream<Uint8Array>): number {
    return this.#streams.openOutbound(source);
  }

  /** A stream whose id is in a call's result; throws when the guest made the id up. */
  receiveStream(id: number): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#streams.acceptInbound(id);
  }

  async close(): Promise<void> {
    if (this.#over) return;
    this.#socket.close(1000);
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_MS);
    try {
      await this.closed;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Without a word to the other side. */
  drop(): void {
    this.#socket.terminate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #send(data: string | Uint8Array): void | Promise<void> {
    if (this.#over || this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount < UNSENT_BYTES) {
      this.#socket.send(data);
      return;
    }
    return new Promise((resolve, reject) => {
      this.#socket.send(data, (error) => error ? reject(error) : resolve());
    });
  }

  #receive(data: Buffer, binary: boolean): void {
    if (this.#over) return;
    try {
      if (binary) this.#streams.handle(data);
      else this.#receiveMessage(richCodec.decodeMessage(data.toString("utf8")));
    } catch {
      this.#stray();
    }
    this.#checkFlood();
  }

  #checkFlood(): void {
    const flooded = this.#streams.bufferedBytes > this.#maxBufferedBytes ||
      this.#socket.bufferedAmount > MAX_UNSENT_BYTES;
    if (flooded) this.#socket.terminate();
  }

  #receiveMessage(message: JsonRpcMessage): void {
    if (isNotification(message)) {
      if (!this.#streams.handle(message)) this.#stray();
      return;
    }
    const id = "id" in message ? message.id : null;
    const call = typeof id === "number" ? this.#pending.get(id) : undefined;
    if (!call) return this.#stray();
    try {
      if (isSuccess(message)) {
        call.resolve(richCodec.decodeResult(call.method, message.result));
      } else if (isFailure(message)) {
        call.reject(new Error(message.error.message));
      } else {
        this.#stray();
      }
    } catch (error) {
      call.reject(error);
    }
  }

  #stray(): void {
    if (++this.#strays > MAX_STRAY_MESSAGES) this.#socket.terminate();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    const error = new PaddockError("CONNECTION_LOST");
    this.#streams.close(error);
    for (const call of this.#pending.values()) call.reject(error);
    this.#pending.clear();
  }
}

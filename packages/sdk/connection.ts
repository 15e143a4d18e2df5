import {
  type Codec,
  isFailure,
  isNotification,
  isSuccess,
  jsonCodec,
  type JsonRpcMessage,
  type MethodInput,
  type MethodName,
  type MethodOutput,
  richCodec,
  StreamHub,
} from "@paddock/protocol";
import { localChunkBytes, readAheadBytes, waits } from "./_defaults.ts";
import { withCallSite } from "./call_site.ts";
import { ConnectionClosedError, ConnectionLostError, RpcError } from "./errors.ts";
import { Heartbeat } from "./heartbeat.ts";
import { openSocket, type OpenSocketOptions, type Socket } from "./socket.ts";

/** How a connection ended. */
export interface ConnectionEnd {
  /** `"closed"`: we asked for it. `"lost"`: anything else. */
  kind: "closed" | "lost";
  closeCode: number;
  reason: string;
}

export interface CallOptions {
  /** The call is given up when it aborts; the sandbox is told, for methods that can be told. */
  signal?: AbortSignal;
}

interface PendingCall {
  method: MethodName;
  resolve(value: unknown): void;
  reject(error: unknown): void;
  /** Nobody waits for the result any more: streams that it opens must be cancelled. */
  abandoned: boolean;
}

/** Methods whose work in the sandbox stops when their `abortId` is aborted. */
const stoppable: ReadonlySet<MethodName> = new Set<MethodName>([
  "readFile",
  "readTextFile",
  "writeFile",
  "writeTextFile",
  "paddock.readFileStream",
  "paddock.readTree",
  "paddock.writeTree",
  "fetch",
]);

/** One WebSocket to one sandbox: calls, streams, heartbeat. Once ended it stays so. */
export class Connection {
  readonly sandboxId: string | undefined;
  readonly traceId: string | undefined;
  /** Whether what answers is Paddock's: it knows methods that the published clients have not. */
  readonly isPaddock: boolean;
  /** Settles when the connection has ended; never rejects. */
  readonly ended: Promise<ConnectionEnd>;

  readonly #socket: Socket;
  readonly #codec: Codec;
  readonly #streams: StreamHub;
  readonly #pending = new Map<number, PendingCall>();
  readonly #restartListeners = new Map<string, () => void>();
  readonly #heartbeat: Heartbeat;
  #resolveEnded!: (end: ConnectionEnd) => void;
  #end: ConnectionEnd | undefined;
  #closing = false;
  #lossReason: string | undefined;
  #nextId = 1;
  #nextAbortId = 1;

  static async open(options: Omit<OpenSocketOptions, "handlers">): Promise<Connection> {
    // The first message may arrive with the answer that opens the socket, before there is a connection.
    const early: (() => void)[] = [];
    const ready: { connection?: Connection } = {};
    const deliver = (to: (connection: Connection) => void) => {
      if (ready.connection) to(ready.connection);
      else early.push(() => to(ready.connection!));
    };
    const socket = await openSocket({
      ...options,
      handlers: {
        onMessage: (data) => deliver((connection) => connection.#receive(data)),
        onPing: () => deliver((connection) => connection.#heartbeat.alive()),
        onClose: (code, reason) => deliver((connection) => connection.#finish(code, reason)),
      },
    });
    const connection = new Connection(socket);
    ready.connection = connection;
    for (const message of early) message();
    return connection;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.sandboxId = socket.sandboxId;
    this.traceId = socket.traceId;
    this.isPaddock = socket.binaryStreams;
    this.#codec = socket.binaryStreams ? richCodec : jsonCodec;
    this.#streams = new StreamHub({
      mode: socket.binaryStreams ? "credit" : "plain",
      codec: this.#codec,
      send: (data) => this.#send(data),
      recycle: true,
      limits: socket.binaryStreams ? { streamChunkBytes: localChunkBytes } : {},
      readAheadBytes,
    });
    this.ended = new Promise((resolve) => this.#resolveEnded = resolve);
    this.#heartbeat = new Heartbeat({
      send: (text) => this.#send(text),
      bufferedAmount: () => socket.bufferedAmount,
      onSilence: (ms) => this.#lose(`no sign of life for ${ms / 1000} s`),
    });
  }

  get isOpen(): boolean {
    return this.#end === undefined && !this.#closing;
  }

  /** Runs a method in the sandbox. Throws what it threw there; `ConnectionLostError` when it is cut off. */
  call<M extends MethodName>(
    method: M,
    input: MethodInput<M>,
    options: CallOptions = {},
  ): Promise<MethodOutput<M>> {
    const { signal } = options;
    return withCallSite(
      new Promise<MethodOutput<M>>((resolve, reject) => {
        signal?.throwIfAborted();
        if (!this.isOpen) throw this.endError();
        const id = this.#nextId++;
        let params: unknown = input;
        let abortId: number | undefined;
        if (signal && stoppable.has(method)) {
          abortId = this.#nextAbortId++;
          params = { ...input, abortId };
        }
        const text = this.#codec.encodeMessage({
          jsonrpc: "2.0",
          id,
          method,
          params: this.#codec.encodeParams(method, params as MethodInput<M>),
        });
        const pending: PendingCall = {
          method,
          abandoned: false,
          resolve(value) {
            signal?.removeEventListener("abort", onAbort);
            resolve(value as MethodOutput<M>);
          },
          reject(error) {
            signal?.removeEventListener("abort", onAbort);
            reject(error);
          },
        };
        const onAbort = () => {
          pending.abandoned = true;
          if (abortId !== undefined) this.call("abort", { abortId }).catch(() => {});
          pending.reject(signal?.reason);
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        this.#pending.set(id, pending);
        this.#send(text);
      }),
    );
  }

  /** Starts sending a stream; the id goes into the call that consumes it. */
  sendStream(source: ReadableStream<Uint8Array>): number {
    return this.#streams.openOutbound(source);
  }

  /** The stream with an id that the result of a call contains. */
  receiveStream(
    id: number,
    readAheadBytes?: number,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#streams.acceptInbound(id, readAheadBytes);
  }

  /** Calls `listener` whenever the watched program restarts. */
  onWatcherRestart(watcherId: string, listener: () => void): () => void {
    this.#restartListeners.set(watcherId, listener);
    return () => this.#restartListeners.delete(watcherId);
  }

  /** Ends the connection. Waits for the other side to agree, but not for long. */
  async close(withinMs: number = waits.closeMs): Promise<void> {
    if (this.#end) return;
    if (!this.#closing) {
      this.#closing = true;
      this.#heartbeat.stop();
      this.#socket.close(1000, "");
    }
    const timer = setTimeout(() => {
      this.#socket.terminate();
      this.#finish(1006, "");
    }, withinMs);
    try {
      await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What a call gets that is made when the connection is no more. */
  endError(): ConnectionClosedError {
    const end = this.#end;
    if (end?.kind === "lost") {
      return new ConnectionLostError("the connection to the sandbox was lost", end);
    }
    return new ConnectionClosedError(end?.closeCode, end?.reason);
  }

  #send(data: string | Uint8Array): void | Promise<void> {
    if (this.#end) return;
    this.#heartbeat.sent(data.length);
    return this.#socket.send(data);
  }

  #receive(data: string | Uint8Array): void {
    this.#heartbeat.alive();
    try {
      if (typeof data !== "string") this.#streams.handle(data);
      else if (data !== "pong") this.#receiveMessage(this.#codec.decodeMessage(data));
    } catch (error) {
      // What answers at the other end is code that nobody trusts, and it makes no sense.
      this.#lose(`the sandbox sent something unexpected: ${(error as Error).message}`);
    }
  }

  #receiveMessage(message: JsonRpcMessage): void {
    if (isNotification(message)) {
      if (this.#streams.handle(message)) return;
      const notification = this.#codec.decodeNotification(message);
      if (notification?.type === "deno.watcher.restart") {
        this.#restartListeners.get(notification.watcherId)?.();
      }
    } else if (isSuccess(message)) {
      this.#settle(message.id, (call) => this.#codec.decodeResult(call.method, message.result));
    } else if (isFailure(message)) {
      const { code, message: text, data } = message.error;
      if (message.id === null) return;
      this.#settle(message.id, (call) => {
        throw new RpcError(code, `${call.method}: ${text}`, data);
      });
    }
  }

  #settle(id: string | number, read: (call: PendingCall) => unknown): void {
    const call = this.#pending.get(id as number);
    if (!call) return;
    this.#pending.delete(id as number);
    let value: unknown;
    try {
      value = read(call);
    } catch (error) {
      call.reject(error);
      return;
    }
    if (call.abandoned) this.#cancelStreamsOf(value);
    else call.resolve(value);
  }

  #cancelStreamsOf(result: unknown): void {
    if (typeof result !== "object" || result === null) return;
    for (const [key, value] of Object.entries(result)) {
      if (/streamId$/i.test(key) && typeof value === "number") {
        this.#streams.refuseInbound(value);
      }
    }
  }

  #lose(reason: string): void {
    if (this.#end) return;
    this.#lossReason = reason;
    this.#socket.terminate();
    this.#finish(1006, reason);
  }

  #finish(closeCode: number, reason: string): void {
    if (this.#end) return;
    this.#heartbeat.stop();
    const end: ConnectionEnd = {
      kind: this.#closing && !this.#lossReason ? "closed" : "lost",
      closeCode,
      reason: this.#lossReason ?? reason,
    };
    this.#end = end;
    this.#streams.close(
      end.kind === "lost"
        ? new ConnectionLostError(
          "the connection to the sandbox was lost: the stream is cut off",
          end,
        )
        : new ConnectionClosedError(closeCode, reason),
    );
    const calls = [...this.#pending.values()];
    this.#pending.clear();
    for (const call of calls) {
      call.reject(
        end.kind === "lost"
          ? new ConnectionLostError(`${call.method}: the connection to the sandbox was lost`, end)
          : new ConnectionClosedError(closeCode, reason),
      );
    }
    this.#resolveEnded(end);
  }
}

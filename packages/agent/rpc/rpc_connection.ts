import {
  type Codec,
  errorResponse,
  idOfRefused,
  isMethodName,
  isNotification,
  isRequest,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type LimitValues,
  type MethodName,
  PaddockError,
  type PreparedStream,
  StreamHub,
} from "@paddock/protocol";
import { FileHandles } from "../fs/handles.ts";
import type { ServerWebSocket } from "../net/websocket.ts";
import type { Call, Handler, Handlers } from "./handlers.ts";
import { Semaphore } from "./semaphore.ts";

/** Requests whose text, not yet answered, is more than this hold up the reading of more. */
const REQUEST_BYTES = 64 * 1024 * 1024;
const WHOLE_FILES_AT_ONCE = 2;

/** Binary frames cost nothing by the byte, but something each. */
const FRAME_BYTES = 1024 * 1024;

const TAKEN = Promise.resolve();

export interface RpcConnectionOptions {
  socket: ServerWebSocket;
  codec: Codec;
  mode: "plain" | "credit";
  handlers: Handlers;
  limits: LimitValues;
  /** Called when a request has been answered. */
  worked(): void;
  log(message: string): void;
}

/** One client: reads its messages, does what they ask and answers, until it is gone. */
export class RpcConnection {
  readonly #options: RpcConnectionOptions;
  readonly #hub: StreamHub;
  readonly #files: FileHandles;
  readonly #wholeFiles = new Semaphore(WHOLE_FILES_AT_ONCE);
  readonly #gone = new AbortController();
  readonly #aborters = new Map<number, AbortController>();
  #inFlight = 0;
  #inFlightBytes = 0;
  #room: PromiseWithResolvers<void> | undefined;
  #resumed: PromiseWithResolvers<void> | undefined;

  constructor(options: RpcConnectionOptions) {
    this.#options = options;
    const { socket, codec, mode, limits } = options;
    this.#files = new FileHandles(limits.openFiles);
    this.#hub = new StreamHub({
      mode,
      codec,
      limits: mode === "credit" ? { ...limits, streamChunkBytes: FRAME_BYTES } : limits,
      // The socket has taken a copy when it asks for no patience, so the bytes are free at once.
      send: (data) => socket.send(data) ?? TAKEN,
      recycle: true,
      onFree: (memory) => socket.reuse(memory),
      readAheadBytes: limits.streamReadAheadBytes,
      onPause: () => this.#resumed ??= Promise.withResolvers<void>(),
      onResume: () => {
        this.#resumed?.resolve();
        this.#resumed = undefined;
      },
      onProtocolError: (error) => options.log(`a stream message was dropped: ${error.message}`),
    });
  }

  /** Settles when the client is gone. */
  async run(): Promise<void> {
    const { socket } = this.#options;
    try {
      for await (const message of socket.messages()) {
        if (message === "ping") {
          this.#send("pong");
        } else if (typeof message === "string") {
          this.#receive(message);
        } else if (this.#options.mode === "credit") {
          this.#hub.handle(message);
        } else {
          this.#receive(new TextDecoder().decode(message));
        }
        await this.#untilReady();
      }
    } finally {
      this.#end();
    }
  }

  #end(): void {
    const reason = new PaddockError("CONNECTION_LOST");
    this.#gone.abort(reason);
    this.#hub.close(reason);
    this.#files.closeAll();
    this.#aborters.clear();
    this.#room?.resolve();
    this.#resumed?.resolve();
  }

  /** Reads no further while the client does not take its answers or sends more than fits. */
  async #untilReady(): Promise<void> {
    const { socket } = this.#options;
    if (socket.queuedBytes > REQUEST_BYTES) await socket.drain();
    while (this.#inFlightBytes > REQUEST_BYTES && !this.#gone.signal.aborted) {
      this.#room ??= Promise.withResolvers<void>();
      await this.#room.promise;
    }
    if (this.#resumed) await this.#resumed.promise;
  }

  #receive(text: string): void {
    const { codec } = this.#options;
    let message: JsonRpcMessage;
    try {
      message = codec.decodeMessage(text);
    } catch (error) {
      this.#reply(errorResponse(idOfRefused(error), error));
      return;
    }
    if (isNotification(message)) this.#hub.handle(message);
    else if (isRequest(message)) void this.#answer(message, text.length);
    // Responses: the agent asks nothing, so there is nothing they could answer.
  }

  async #answer(request: JsonRpcRequest, size: number): Promise<void> {
    const { codec, limits } = this.#options;
    const { id, method } = request;
    if (this.#inFlight >= limits.requestsInFlight) {
      this.#reply(errorResponse(
        id,
        new PaddockError("TOO_MANY_REQUESTS", {
          message: `${this.#inFlight} requests wait on this connection, the most that may.`,
          details: { limit: "requestsInFlight", max: limits.requestsInFlight },
        }),
      ));
      return;
    }
    this.#inFlight++;
    this.#inFlightBytes += size;
    try {
      await this.#perform(codec, id, method, request.params);
    } catch (error) {
      this.#options.log(`${method} could not be answered: ${describe(error)}`);
    } finally {
      this.#inFlight--;
      this.#inFlightBytes -= size;
      this.#options.worked();
      if (this.#inFlightBytes <= REQUEST_BYTES) {
        this.#room?.resolve();
        this.#room = undefined;
      }
    }
  }

  async #perform(
    codec: Codec,
    id: JsonRpcRequest["id"],
    method: string,
    params: unknown,
  ): Promise<void> {
    if (!isMethodName(method)) {
      this.#reply(errorResponse(
        id,
        new PaddockError("METHOD_NOT_FOUND", {
          message: `There is no method "${method.slice(0, 100)}".`,
        }),
      ));
      return;
    }
    let input: unknown;
    try {
      input = codec.decodeParams(method, params);
    } catch (error) {
      this.#reply(errorResponse(id, error));
      return;
    }
    const work = async () => {
      const streams: PreparedStream[] = [];
      let result: { ok: unknown } | { error: unknown };
      try {
        result = codec.encodeResult(method, await this.#run(method, input, streams) as never);
        for (const stream of streams) stream.announce();
      } catch (error) {
        for (const stream of streams.splice(0)) stream.cancel(error);
        result = codec.encodeFailure(error);
      }
      const sent = this.#reply({ jsonrpc: "2.0", id, result });
      // The first reads take calls of the system, and so long the answer would wait.
      queueMicrotask(() => streams.forEach((stream) => stream.run()));
      await sent;
    };
    // An answer that holds a whole file is made when there is room for it, and sent before the next.
    if (method === "readFile" || method === "readTextFile") await this.#wholeFiles.run(work);
    else await work();
  }

  #run<M extends MethodName>(method: M, input: unknown, streams: PreparedStream[]): unknown {
    const handler = this.#options.handlers[method] as Handler<M>;
    const { call, done } = this.#call(streams);
    try {
      const result = handler(input as Parameters<Handler<M>>[0], call);
      if (!(result instanceof Promise)) {
        done();
        return result;
      }
      return result.finally(done);
    } catch (error) {
      done();
      throw error;
    }
  }

  /** What it is to send joins `streams`. */
  #call(streams: PreparedStream[]): { call: Call; done(): void } {
    const mine: number[] = [];
    const call: Call = {
      files: this.#files,
      signal: (abortId) => {
        if (abortId === undefined) return this.#gone.signal;
        const aborter = new AbortController();
        this.#aborters.set(abortId, aborter);
        mine.push(abortId);
        return AbortSignal.any([aborter.signal, this.#gone.signal]);
      },
      abort: (abortId) => this.#aborters.get(abortId)?.abort(),
      send: (source) => {
        const stream = this.#hub.prepareOutbound(source);
        streams.push(stream);
        return stream.id;
      },
      receive: (streamId) => this.#hub.acceptInbound(streamId),
      claim: (streamId) => this.#hub.claimInbound(streamId),
      refuse: (streamId, reason) => {
        if (streamId !== undefined) this.#hub.refuseInbound(streamId, reason);
      },
      notifyRestart: (watcherId) => {
        const { codec } = this.#options;
        this.#send(codec.encodeNotification({ type: "deno.watcher.restart", watcherId }));
      },
    };
    return { call, done: () => mine.forEach((abortId) => this.#aborters.delete(abortId)) };
  }

  #reply(message: JsonRpcMessage): void | Promise<void> {
    const { codec } = this.#options;
    let text: string;
    try {
      text = codec.encodeMessage(message);
    } catch (error) {
      const id = "id" in message ? message.id : null;
      text = codec.encodeMessage(
        id === null
          ? errorResponse(null, error)
          : { jsonrpc: "2.0", id, result: codec.encodeFailure(error) },
      );
    }
    return this.#send(text);
  }

  #send(text: string): void | Promise<void> {
    if (this.#gone.signal.aborted) return;
    try {
      return this.#options.socket.send(text)?.catch(() => {});
    } catch {
      // The client left meanwhile: `run` ends by itself.
    }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.stack ?? String(error) : String(error);
}

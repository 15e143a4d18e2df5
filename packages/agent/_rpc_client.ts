import {
  type Codec,
  devalueCodec,
  isNotification,
  jsonCodec,
  type JsonRpcMessage,
  type MethodInput,
  type MethodName,
  type MethodOutput,
  type Notification,
  richCodec,
  StreamHub,
  SUBPROTOCOL,
} from "@paddock/protocol";
import { WebSocket } from "ws";

export type Encoding = "v2" | "v3" | "rich";

const codecs: Record<Encoding, Codec> = { v2: devalueCodec, v3: jsonCodec, rich: richCodec };

/** For tests: a client of an agent, in one of the encodings. */
export class RpcClient implements AsyncDisposable {
  readonly codec: Codec;
  readonly hub: StreamHub;
  readonly notifications: Notification[] = [];
  readonly #socket: WebSocket;
  readonly #pending = new Map<number | string, (message: JsonRpcMessage) => void>();
  readonly #unclaimed: JsonRpcMessage[] = [];
  readonly closed: Promise<number>;
  /** Out of the way of requests that a test makes up. */
  #nextId = 1e12;

  private constructor(socket: WebSocket, encoding: Encoding) {
    this.#socket = socket;
    this.codec = codecs[encoding];
    this.hub = new StreamHub({
      mode: encoding === "rich" ? "credit" : "plain",
      codec: this.codec,
      send: (data) => socket.send(data),
    });
    this.closed = new Promise((resolve) => socket.once("close", resolve));
    this.closed.then(() => this.hub.close());
    socket.on("error", () => {});
    socket.on("message", (data: Uint8Array, binary: boolean) => {
      if (binary) this.hub.handle(new Uint8Array(data).slice());
      else this.#receive(new TextDecoder().decode(data));
    });
  }

  static async connect(
    { port, token }: { port: number; token: string },
    encoding: Encoding = "rich",
  ): Promise<RpcClient> {
    const socket = new WebSocket(
      `ws://127.0.0.1:${port}/rpc`,
      encoding === "rich" ? [SUBPROTOCOL] : [],
      {
        perMessageDeflate: false,
        headers: {
          authorization: `Bearer ${token}`,
          "x-paddock-encoding": encoding === "v2" ? "v2" : "v3",
        },
      },
    );
    const client = new RpcClient(socket, encoding);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    return client;
  }

  async call<M extends MethodName>(method: M, input: MethodInput<M>): Promise<MethodOutput<M>> {
    const answer = await this.request(method, this.codec.encodeParams(method, input));
    if (!("result" in answer)) throw new Error(JSON.stringify(answer));
    return this.codec.decodeResult(method, answer.result);
  }

  /** The bare answer to a request that need not make sense. */
  request(method: string, params: unknown): Promise<JsonRpcMessage> {
    const id = this.#nextId++;
    const answer = new Promise<JsonRpcMessage>((resolve) => this.#pending.set(id, resolve));
    this.send(this.codec.encodeMessage({ jsonrpc: "2.0", id, method, params }));
    return answer;
  }

  send(data: string | Uint8Array): void {
    this.#socket.send(data);
  }

  /** The next message that answers no request of this client. */
  async unclaimed(): Promise<JsonRpcMessage> {
    while (this.#unclaimed.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    return this.#unclaimed.shift()!;
  }

  /** A command's output and how it ended. */
  async run(command: string, args: string[] = [], options: Partial<MethodInput<"spawn">> = {}) {
    const started = await this.call("spawn", {
      command,
      args,
      stdout: "piped",
      stderr: "piped",
      ...options,
    });
    const text = (id: number | null) =>
      id === null ? "" : new Response(this.hub.acceptInbound(id)).text();
    const [status, stdout, stderr] = await Promise.all([
      this.call("processWait", { pid: started.pid }),
      text(started.stdoutStreamId),
      text(started.stderrStreamId),
    ]);
    return { ...status, stdout, stderr, pid: started.pid };
  }

  shell(script: string) {
    return this.run("bash", ["-c", script]);
  }

  async repl(options: Partial<MethodInput<"spawnDenoRepl">> = {}): Promise<number> {
    const { pid } = await this.call("spawnDenoRepl", {
      stdout: "null",
      stderr: "null",
      ...options,
    });
    return pid;
  }

  /** Without a word of goodbye. */
  drop(): void {
    this.#socket.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.closed;
  }

  #receive(text: string): void {
    if (text === "pong") {
      this.#unclaimed.push({ jsonrpc: "2.0", method: "pong" });
      return;
    }
    const message = this.codec.decodeMessage(text);
    if (isNotification(message)) {
      if (this.hub.handle(message)) return;
      const notification = this.codec.decodeNotification(message);
      if (notification) this.notifications.push(notification);
      return;
    }
    const waiting = "id" in message && message.id !== null && this.#pending.get(message.id);
    if (!waiting) {
      this.#unclaimed.push(message);
      return;
    }
    this.#pending.delete((message as { id: number }).id);
    waiting(message);
  }
}

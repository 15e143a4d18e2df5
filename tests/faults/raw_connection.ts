import * as devalue from "devalue";
import { WebSocket } from "ws";
import type { TestServer } from "../harness.ts";

export interface RpcReply {
  id: number | string | null;
  // deno-lint-ignore no-explicit-any
  result?: any;
  error?: { code: number; message: string; data?: unknown };
}

export interface ConnectOptions {
  /** Options of the sandbox to create; or `id` of one to connect to. */
  config?: Record<string, unknown>;
  id?: string;
  token?: string;
  /** Speak as client 0.2 does. Only to a sandbox that exists. */
  v2?: boolean;
}

interface Encoding {
  encode(message: unknown): string;
  // deno-lint-ignore no-explicit-any
  decode(text: string): any;
}

const v3: Encoding = { encode: JSON.stringify, decode: JSON.parse };
const v2: Encoding = {
  encode: (message) => devalue.stringify(message),
  decode: (text) => devalue.parse(text, { Error: (value) => value }),
};

/** A client that sends whatever it is told to: no schema between the test and the wire. */
export class RawConnection implements AsyncDisposable {
  readonly replies = new Map<number | string | null, RpcReply>();
  readonly notifications: { method: string; params: unknown }[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #nextId = 1_000_000;
  #waiting = new Map<number | string | null, (reply: RpcReply) => void>();

  private constructor(
    readonly socket: WebSocket,
    readonly sandboxId: string,
    readonly encoding: Encoding,
  ) {
    this.closed = new Promise((resolve) =>
      socket.on(
        "close",
        (code: number, reason: Uint8Array) =>
          resolve({ code, reason: new TextDecoder().decode(reason) }),
      )
    );
    socket.on("error", () => {});
    socket.on("message", (data: Uint8Array, isBinary: boolean) => {
      if (!isBinary) this.#receive(new TextDecoder().decode(data));
    });
  }

  static open(server: TestServer, options: ConnectOptions = {}): Promise<RawConnection> {
    const v3Path = options.id ? `v3/sandbox/${options.id}/connect` : "v3/sandboxes/create";
    const path = options.v2 ? "v2/sandbox/ws" : v3Path;
    const headers: Record<string, string> = {
      authorization: `Bearer ${options.token ?? server.token}`,
    };
    if (options.v2) {
      const config = { sandbox_id: options.id, mode: "connect" };
      headers["x-denodeploy-config-v2"] = JSON.stringify(config);
    } else if (!options.id) {
      headers["x-deno-sandbox-config"] = btoa(JSON.stringify(options.config ?? {}));
    }
    const socket = new WebSocket(`${server.api.replace(/^http/, "ws")}/api/${path}`, {
      headers,
      perMessageDeflate: false,
    });
    return new Promise((resolve, reject) => {
      let id = options.id ?? "";
      socket.on(
        "upgrade",
        (response: { headers: Record<string, string> }) =>
          id = response.headers["x-deno-sandbox-id"] ?? id,
      );
      socket.on("open", () => resolve(new RawConnection(socket, id, options.v2 ? v2 : v3)));
      socket.on("error", reject);
    });
  }

  #receive(text: string): void {
    if (text === "pong") return;
    const message = this.encoding.decode(text);
    if ("method" in message) {
      this.notifications.push(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (waiting) waiting(message);
    else this.replies.set(message.id, message);
  }

  sendText(text: string): void {
    this.socket.send(text);
  }

  /** The answer to one request; the connection's end or 30 s without one is an error. */
  call(method: string, params?: unknown): Promise<RpcReply> {
    const id = this.#nextId++;
    const reply = this.reply(id);
    this.sendText(this.encoding.encode({ jsonrpc: "2.0", id, method, params }));
    return reply;
  }

  reply(id: number | string | null, deadlineMs = 30_000): Promise<RpcReply> {
    const early = this.replies.get(id);
    if (early) {
      this.replies.delete(id);
      return Promise.resolve(early);
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no answer to ${id} after ${deadlineMs} ms`)),
        deadlineMs,
      );
      this.#waiting.set(id, (reply) => {
        clearTimeout(timer);
        resolve(reply);
      });
      this.closed.then(({ code, reason }) => {
        clearTimeout(timer);
        reject(new Error(`connection closed (${code} ${reason}) before the answer to ${id}`));
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

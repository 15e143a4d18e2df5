import {
  type Codec,
  devalueCodec,
  encodeBase64,
  jsonCodec,
  richCodec,
  SUBPROTOCOL,
} from "@paddock/protocol";
import { readRequestHead, type RequestHead } from "./http_head.ts";
import { connectLocally, splice } from "./tunnel.ts";
import { ServerWebSocket } from "./websocket.ts";

const HEAD_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 256;
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export interface AgentServerOptions {
  hostname: string;
  port: number;
  token: string;
  maxMessageBytes: number;
  health(): Record<string, unknown>;
  /** Serves one client; its promise settles when the client is gone. */
  serve(socket: ServerWebSocket, codec: Codec, mode: "plain" | "credit"): Promise<void>;
  log(message: string): void;
}

/** The agent's own little HTTP server: health, RPC over WebSocket, tunnels to guest ports. */
export class AgentServer {
  readonly #options: AgentServerOptions;
  readonly #listener: Deno.TcpListener;
  readonly #token: Promise<Uint8Array>;
  readonly #connections = new Set<Deno.TcpConn>();
  #closed = false;

  constructor(options: AgentServerOptions) {
    this.#options = options;
    this.#token = digest("SHA-256", `Bearer ${options.token}`);
    this.#listener = Deno.listen({ hostname: options.hostname, port: options.port });
    void this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    for (const connection of this.#connections) closeQuietly(connection);
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        const connection = await this.#listener.accept();
        if (this.#connections.size >= MAX_CONNECTIONS) {
          connection.close();
          continue;
        }
        this.#connections.add(connection);
        void this.#handle(connection);
      } catch (error) {
        if (this.#closed) return;
        this.#options.log(`a connection could not be accepted: ${error}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async #handle(connection: Deno.TcpConn): Promise<void> {
    const timer = setTimeout(() => closeQuietly(connection), HEAD_TIMEOUT_MS);
    try {
      const head = await readRequestHead(connection);
      clearTimeout(timer);
      if (!head) await answer(connection, 400, { message: "Not an HTTP/1.1 request" });
      else await this.#route(connection, head);
    } catch (error) {
      if (!isDisconnect(error)) this.#options.log(`a connection failed: ${describe(error)}`);
    } finally {
      clearTimeout(timer);
      this.#connections.delete(connection);
      closeQuietly(connection);
    }
  }

  async #route(connection: Deno.TcpConn, head: RequestHead): Promise<void> {
    const given = await digest("SHA-256", head.headers.get("authorization") ?? "");
    if (!equalInConstantTime(given, await this.#token)) {
      return await answer(connection, 401, { message: "The agent's token is needed" });
    }
    if (head.method !== "GET") return await answer(connection, 405, { message: "Only GET" });
    switch (head.url.pathname) {
      case "/health":
        return await answer(connection, 200, this.#options.health());
      case "/rpc":
        return await this.#rpc(connection, head);
      case "/tunnel":
        return await this.#tunnel(connection, head);
      default:
        return await answer(connection, 404, { message: "Nothing is here" });
    }
  }

  async #rpc(connection: Deno.TcpConn, { headers, rest }: RequestHead): Promise<void> {
    const key = headers.get("sec-websocket-key");
    const wanted = headers.get("upgrade")?.toLowerCase() === "websocket" &&
      headers.get("sec-websocket-version") === "13";
    if (!wanted || !key) return await answer(connection, 426, { message: "WebSocket only" });
    const offered = headers.get("sec-websocket-protocol")?.split(/\s*,\s*/) ?? [];
    const rich = offered.includes(SUBPROTOCOL);
    const encoding = headers.get("x-paddock-encoding") ?? "v3";
    if (encoding !== "v2" && encoding !== "v3") {
      return await answer(connection, 400, { message: "x-paddock-encoding must be v2 or v3" });
    }
    const accept = encodeBase64(await digest("SHA-1", key + WEBSOCKET_GUID));
    await writeHead(connection, "101 Switching Protocols", {
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-accept": accept,
      ...(rich ? { "sec-websocket-protocol": SUBPROTOCOL } : {}),
    });
    connection.setNoDelay(true);
    const socket = new ServerWebSocket(connection, rest, this.#options.maxMessageBytes);
    const codec = rich ? richCodec : encoding === "v2" ? devalueCodec : jsonCodec;
    await this.#options.serve(socket, codec, rich ? "credit" : "plain");
  }

  async #tunnel(connection: Deno.TcpConn, { headers, url, rest }: RequestHead): Promise<void> {
    const port = Number(url.searchParams.get("port"));
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      return await answer(connection, 400, { message: "port must be 1 to 65535" });
    }
    if (port === this.port) {
      return await answer(connection, 403, { message: "The agent is not reached by tunnel" });
    }
    if (headers.get("upgrade") !== "paddock-tunnel") {
      return await answer(connection, 426, { message: "Upgrade: paddock-tunnel is needed" });
    }
    let target: Deno.TcpConn;
    try {
      target = await connectLocally(port);
    } catch {
      return await answer(connection, 502, { message: `Nothing listens on port ${port}` });
    }
    await writeHead(connection, "101 Switching Protocols", {
      upgrade: "paddock-tunnel",
      connection: "Upgrade",
    });
    connection.setNoDelay(true);
    target.setNoDelay(true);
    await splice(connection, target, rest);
  }
}

const REASONS: Record<number, string> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  426: "Upgrade Required",
  502: "Bad Gateway",
};

async function answer(connection: Deno.Conn, status: number, body: unknown): Promise<void> {
  const text = JSON.stringify(body);
  await writeHead(connection, `${status} ${REASONS[status]}`, {
    "content-type": "application/json",
    "content-length": String(new TextEncoder().encode(text).length),
    connection: "close",
  }, text);
}

async function writeHead(
  connection: Deno.Conn,
  status: string,
  headers: Record<string, string>,
  body = "",
): Promise<void> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const bytes = new TextEncoder().encode(`HTTP/1.1 ${status}\r\n${lines.join("")}\r\n${body}`);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** The platform's own, because Node's crypto module alone takes megabytes of memory. */
async function digest(algorithm: "SHA-1" | "SHA-256", text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(algorithm, new TextEncoder().encode(text)));
}

/** For digests, which are of equal length. */
function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}

function isDisconnect(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.UnexpectedEof;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.stack ?? String(error) : String(error);
}

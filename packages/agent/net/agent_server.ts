import {
  type Codec,
  devalueCodec,
  encodeBase64,
  jsonCodec,
  richCodec,
  SUBPROTOCOL,
} from "@paddock/protocol";
import { Admission, type Place } from "./admission.ts";
import { readBody, readRequestHead, type RequestHead } from "./http_head.ts";
import { connectFromGuest, splice, type TunnelTarget } from "./tunnel.ts";
import { ServerWebSocket } from "./websocket.ts";

const HEAD_TIMEOUT_MS = 10_000;
const TUNNEL_CONNECT_MS = 10_000;
const MAX_HOST_LENGTH = 253;
/** Room for the variables that a sandbox is created with. */
const MAX_IDENTITY_BYTES = 4 * 1024 * 1024;
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export interface AgentServerOptions {
  hostname: string;
  port: number;
  token: string;
  maxMessageBytes: number;
  /**
   * Makes the machine another sandbox; throws when what is given makes no sense. Answers what went wrong
   * with what its template wants done then.
   */
  identify(identity: unknown): Promise<string | undefined>;
  health(): Record<string, unknown>;
  /** The port that an exposed domain leads to; `silent` when its process listens on none. */
  exposedPort(domain: string): number | "unknown" | "silent";
  /** Serves one client; its promise settles when the client is gone. */
  serve(socket: ServerWebSocket, codec: Codec, mode: "plain" | "credit"): Promise<void>;
  log(message: string): void;
}

/** The agent's own little HTTP server: health, RPC over WebSocket, tunnels to guest ports. */
export class AgentServer {
  readonly #options: AgentServerOptions;
  readonly #listener: Deno.TcpListener;
  #authorization: string;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #admission = new Admission();
  #closed = false;

  constructor(options: AgentServerOptions) {
    this.#options = options;
    this.#authorization = `Bearer ${options.token}`;
    this.#listener = Deno.listen({ hostname: options.hostname, port: options.port });
    void this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** The token that is demanded from now on. */
  set token(token: string) {
    this.#authorization = `Bearer ${token}`;
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
        const place = this.#admission.enter(connection.remoteAddr, connection.localAddr);
        if (!place) {
          connection.close();
          continue;
        }
        this.#connections.add(connection);
        void this.#handle(connection, place);
      } catch (error) {
        if (this.#closed) return;
        this.#options.log(`a connection could not be accepted: ${error}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async #handle(connection: Deno.TcpConn, place: Place): Promise<void> {
    const timer = setTimeout(() => closeQuietly(connection), HEAD_TIMEOUT_MS);
    try {
      const head = await readRequestHead(connection);
      clearTimeout(timer);
      if (!head) await answer(connection, 400, { message: "Not an HTTP/1.1 request" });
      else await this.#route(connection, head, place);
    } catch (error) {
      if (!isDisconnect(error)) this.#options.log(`a connection failed: ${describe(error)}`);
    } finally {
      clearTimeout(timer);
      this.#connections.delete(connection);
      place[Symbol.dispose]();
      closeQuietly(connection);
    }
  }

  async #route(connection: Deno.TcpConn, head: RequestHead, place: Place): Promise<void> {
    if (!isSecret(head.headers.get("authorization") ?? "", this.#authorization)) {
      return await answer(connection, 401, { message: "The agent's token is needed" });
    }
    if (!place.confirm()) return await answer(connection, 503, { message: "Too many connections" });
    if (head.method === "POST" && head.url.pathname === "/identity") {
      return await this.#identity(connection, head);
    }
    if (head.method !== "GET") return await answer(connection, 405, { message: "Only GET" });
    switch (head.url.pathname) {
      case "/health":
        return await answer(connection, 200, this.#options.health());
      case "/rpc":
        return await this.#rpc(connection, head);
      case "/exposed":
        return await this.#exposed(connection, head);
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
    const accept = encodeBase64(await sha1(key + WEBSOCKET_GUID));
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

  async #identity(connection: Deno.TcpConn, head: RequestHead): Promise<void> {
    const body = await readBody(connection, head, MAX_IDENTITY_BYTES);
    if (!body) return await answer(connection, 400, { message: "The body is missing or too long" });
    try {
      const problem = await this.#options.identify(JSON.parse(new TextDecoder().decode(body)));
      if (problem !== undefined) return await answer(connection, 409, { message: problem });
    } catch (error) {
      return await answer(connection, 400, { message: describe(error) });
    }
    await answer(connection, 200, this.#options.health());
  }

  async #exposed(connection: Deno.TcpConn, { url }: RequestHead): Promise<void> {
    const port = this.#options.exposedPort(url.searchParams.get("domain") ?? "");
    if (port === "unknown") return await answer(connection, 404, { message: "No such domain" });
    if (port === "silent") {
      return await answer(connection, 409, { message: "The process listens on no port" });
    }
    await answer(connection, 200, { port });
  }

  async #tunnel(connection: Deno.TcpConn, { headers, url, rest }: RequestHead): Promise<void> {
    const port = Number(url.searchParams.get("port"));
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      return await answer(connection, 400, { message: "port must be 1 to 65535" });
    }
    const host = url.searchParams.get("host") ?? undefined;
    if (host !== undefined && (host === "" || host.length > MAX_HOST_LENGTH)) {
      return await answer(connection, 400, { message: "host must be a name or an address" });
    }
    if (headers.get("upgrade") !== "paddock-tunnel") {
      return await answer(connection, 426, { message: "Upgrade: paddock-tunnel is needed" });
    }
    const target = await this.#connect({ host, port });
    if (target === "itself") {
      return await answer(connection, 403, { message: "The agent is not reached by tunnel" });
    }
    if (target === "refused") {
      return await answer(connection, 502, { message: `Nothing listens on port ${port}` });
    }
    this.#connections.add(target);
    try {
      await writeHead(connection, "101 Switching Protocols", {
        upgrade: "paddock-tunnel",
        connection: "Upgrade",
      });
      connection.setNoDelay(true);
      target.setNoDelay(true);
      await splice(connection, target, rest);
    } finally {
      this.#connections.delete(target);
    }
  }

  async #connect(target: TunnelTarget): Promise<Deno.TcpConn | "itself" | "refused"> {
    // Without a host it can be nobody but the agent.
    if (target.host === undefined && target.port === this.port) return "itself";
    let conn: Deno.TcpConn;
    try {
      conn = await connectFromGuest(target, AbortSignal.timeout(TUNNEL_CONNECT_MS));
    } catch {
      return "refused";
    }
    // A host has many spellings, and a name can lead anywhere: what counts is where it led.
    if (target.port !== this.port || !leadsHere(conn)) return conn;
    conn.close();
    return "itself";
  }
}

/** Whether a connection ends at an address of the machine that made it. */
function leadsHere({ localAddr, remoteAddr }: Deno.TcpConn): boolean {
  const { hostname } = remoteAddr;
  const loopback = /^(::ffff:)?127\./i.test(hostname) || hostname === "::1";
  return loopback || hostname === localAddr.hostname;
}

const REASONS: Record<number, string> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  426: "Upgrade Required",
  502: "Bad Gateway",
  503: "Service Unavailable",
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
async function sha1(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text)));
}

/** In a time that says nothing of how much of it is right; how long the secret is everybody knows. */
function isSecret(given: string, secret: string): boolean {
  if (given.length !== secret.length) return false;
  let difference = 0;
  for (let i = 0; i < secret.length; i++) difference |= given.charCodeAt(i) ^ secret.charCodeAt(i);
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

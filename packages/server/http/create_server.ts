import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { PaddockError } from "@paddock/protocol";
import type { Engine } from "@paddock/engine";
import type { GatewayAddresses } from "@paddock/gateway";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { Creator } from "../sandbox/creator.ts";
import { Gate } from "../sandbox/gate.ts";
import { Graces } from "../sandbox/graces.ts";
import type { Services } from "../services.ts";
import type { AgentGreeter } from "../session/agent_greeter.ts";
import { Connections } from "../session/connections.ts";
import { SandboxPlaces } from "../session/sandbox_places.ts";
import { Standstills } from "../session/standstills.ts";
import type { Store } from "../store/store.ts";
import { answerError } from "./api_error.ts";
import { createApp } from "./app.ts";
import { bridge, respond } from "./node_bridge.ts";
import { OrganizationConnections } from "./organization_connections.ts";
import { respondRaw } from "./raw_response.ts";
import { newTraceId } from "./trace.ts";
import { handleUpgrade } from "./upgrade.ts";

/** How long requests under way may take to end once the server closes. */
const CLOSE_WITHIN_MS = 5_000;

export interface PaddockServer {
  /** Resolves with where it listens; `localhost` means both families where there are both. */
  listen(at: { host: string; port: number }): Promise<{ host: string; port: number }>;
  /** Takes nothing new, ends connections, waits for requests under way. Idempotent. */
  close(): Promise<void>;
  /** Rejects when a listener fails while serving; pending otherwise. */
  readonly failed: Promise<never>;
}

export interface ServerOptions {
  config: Config;
  engine: Engine;
  /** The engine's; left out: it has none. */
  greeter?: AgentGreeter;
  store: Store;
  log: Log;
  /** Left out: no preview URLs and no SSH. */
  gateway?: GatewayAddresses;
  prepareVscode?: (signal: AbortSignal) => Promise<void>;
}

export function createServer(options: ServerOptions): PaddockServer {
  const { config, engine, greeter, store, log, gateway, prepareVscode } = options;
  const closing = new AbortController();
  let closed: Promise<void> | undefined;
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const connections = new Connections();
  const graces = new Graces(config.limits.sessionGraceMs);
  const services: Services = {
    config,
    engine,
    greeter,
    store,
    log,
    gateway,
    prepareVscode,
    connections,
    sandboxPlaces: new SandboxPlaces(config.limits.connectionsPerSandbox),
    organizationConnections: new OrganizationConnections(config.limits.connectionsPerOrganization),
    graces,
    standstills: new Standstills(connections, graces),
    volumeGate: new Gate(config.limits.volumesInFlight),
    creator: new Creator({
      engine,
      sandboxes: store.sandboxes,
      volumes: store.volumes,
      checkpoints: store.checkpoints,
      regions: config.regions,
      limits: config.limits,
    }),
    closing: closing.signal,
  };
  const app = createApp(services);
  const servers: Server[] = [];
  const upgrading = new Set<Socket>();

  function onRequest(message: IncomingMessage, response: ServerResponse) {
    const traceId = newTraceId();
    const requestLog = log.with({ traceId });
    const began = performance.now();
    const { method, url } = message;
    response.on("close", () => {
      const ms = Math.round(performance.now() - began);
      requestLog.debug("request", { method, path: url, status: response.statusCode, ms });
    });
    const { requestBodyBytes, requestTimeoutMs } = config.limits;
    const limits = { requestBodyBytes, answerMs: requestTimeoutMs };
    const { socket } = message;
    bridge(
      message,
      response,
      limits,
      ({ request, body }) => app.fetch(request, { traceId, log: requestLog, body, socket }),
    ).catch((error) => {
      if (response.destroyed || response.headersSent) return void message.socket.destroy();
      const { status, body } = answerError(error, traceId, requestLog);
      const headers = { "content-type": "application/json", "x-deno-trace-id": traceId };
      respond(message, response, limits, status, headers, new TextEncoder().encode(body));
    });
  }

  function onUpgrade(message: IncomingMessage, socket: Socket, head: Uint8Array) {
    upgrading.add(socket);
    socket.on("close", () => upgrading.delete(socket));
    handleUpgrade(services, message, socket, head).catch((error) => {
      log.error("upgrade failed", { error });
      socket.destroy();
    });
  }

  function makeServer(): Server {
    const { requestHeadBytes, requestTimeoutMs } = config.limits;
    const server = createHttpServer({
      maxHeaderSize: requestHeadBytes,
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: 60_000,
      noDelay: true,
    }, onRequest);
    server.maxConnections = config.limits.connections;
    server.on("upgrade", (message, socket, head) => onUpgrade(message, socket as Socket, head));
    server.on("clientError", (error, socket) => refuseBroken(error, socket as Socket, log));
    server.on("error", (error) => failed.reject(error));
    servers.push(server);
    return server;
  }

  async function close(): Promise<void> {
    closing.abort(new PaddockError("SHUTTING_DOWN"));
    graces.close();
    const ended = servers.map((server) => new Promise((resolve) => server.close(resolve)));
    await connections.closeAll();
    for (const server of servers) server.closeIdleConnections();
    const timer = setTimeout(() => {
      for (const server of servers) server.closeAllConnections();
      for (const socket of upgrading) socket.destroy();
    }, CLOSE_WITHIN_MS);
    await Promise.all(ended);
    clearTimeout(timer);
    for (const socket of upgrading) socket.destroy();
  }

  return {
    failed: failed.promise,
    close: () => closed ??= close(),
    async listen({ host, port }) {
      if (host !== "localhost") return await listenOn(makeServer(), host, port);
      const address = await listenOn(makeServer(), "127.0.0.1", port);
      // `*.localhost` resolves to both families; without IPv6 on the host one is enough.
      await listenOn(makeServer(), "::1", address.port).catch((error) => {
        servers.pop();
        log.info("not listening on ::1", { error: (error as Error).message });
      });
      return { host: "localhost", port: address.port };
    },
  };
}

async function listenOn(
  server: Server,
  host: string,
  port: number,
): Promise<{ host: string; port: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (cause: Error & { code?: string }) =>
    reject(
      new PaddockError(cause.code === "EADDRINUSE" ? "ADDRESS_IN_USE" : "INVALID_SERVER_CONFIG", {
        message: cause.code === "EADDRINUSE"
          ? `${host}:${port} is in use by another program`
          : `cannot listen on ${host}:${port}: ${cause.message}`,
        field: "listen",
        cause,
      }),
    );
  server.once("error", onError);
  server.listen({ host, port, backlog: 1024 }, resolve);
  await promise;
  server.removeListener("error", onError);
  return { host, port: (server.address() as AddressInfo).port };
}

/** What node:http could not read as a request: told so in this API's own form, and closed. */
function refuseBroken(error: Error & { code?: string }, socket: Socket, log: Log): void {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const traceId = newTraceId();
  const [status, code, message] = error.code === "HPE_HEADER_OVERFLOW"
    ? [431, "INVALID_REQUEST", "The request's head is larger than limits.requestHeadBytes allows."]
    : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
    ? [408, "REQUEST_TIMED_OUT", "The request took longer than limits.requestTimeoutMs allows."]
    : [400, "INVALID_REQUEST", "This is no HTTP/1.1 request."];
  log.debug("broken request", { traceId, code: error.code });
  const body = JSON.stringify({ code, message, traceId });
  respondRaw(socket, status as number, { "x-deno-trace-id": traceId }, body);
}

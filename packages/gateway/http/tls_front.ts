import type { AddressInfo, Socket } from "node:net";
import {
  createServer as createTlsServer,
  type SecureContext,
  type Server,
  type TLSSocket,
} from "node:tls";
import { type LimitValues, PaddockError } from "@paddock/protocol";
import type { Log } from "@paddock/driver";
import { H1Connection } from "./h1_connection.ts";
import { Http2Process, type VisitorAddress } from "../http2/http2_process.ts";
import type { Visit } from "./visit.ts";

/** The certificate for the name that a visitor opens TLS with. */
export type SecureContextFor = (servername: string) => SecureContext | Promise<SecureContext>;

type KeyPair = { cert: string; key: string };

export interface TlsFrontOptions {
  defaultPair: () => KeyPair;
  /** Without it all names have the default pair. */
  secureContextFor?: SecureContextFor;
  limits: LimitValues;
  log: Log;
  onVisit: (visit: Visit) => void;
  /** Answers what could not be read as a request. */
  onBroken: (visit: Visit, error: unknown) => void;
  onFailed: (error: Error) => void;
}

/** Takes visitors' connections, opens TLS, and reads HTTP/1.1 or HTTP/2 from them. */
export class TlsFront {
  readonly #options: TlsFrontOptions;
  readonly #servers: Server[] = [];
  readonly #http2: Http2Process;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<H1Connection>();
  #pair: KeyPair;

  constructor(options: TlsFrontOptions) {
    this.#options = options;
    this.#pair = options.defaultPair();
    this.#http2 = new Http2Process({
      limits: options.limits,
      log: options.log,
      onRequests: (socket, from) => this.#read(socket, from),
    });
  }

  /** Listens on one address; may be called again for another. */
  async listen(host: string, port: number): Promise<number> {
    const { secureContextFor, limits, log, onFailed } = this.#options;
    const pair = this.#pair;
    const server = createTlsServer({
      ...pair,
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: limits.gatewayHeadTimeoutMs,
      noDelay: true,
      // Asking by name costs 16 KiB in each connection (Deno 2.9): a lot for a thousand idle ones.
      ...(secureContextFor && { SNICallback: this.#contextFor(secureContextFor) }),
    });
    server.maxConnections = limits.gatewayConnections;
    server.on("connection", (socket: Socket) => this.#track(socket));
    server.on("secureConnection", (socket) => this.#secured(socket));
    server.on("tlsClientError", (error, socket) => {
      log.debug("visitor without TLS", { error });
      socket.destroy();
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", (cause) => reject(cannotListen(host, port, cause)));
    server.listen({ host, port, backlog: 1024 }, resolve);
    await promise;
    server.removeAllListeners("error");
    server.on("error", onFailed);
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** Called every second or so. */
  tick(now: number): void {
    for (const connection of this.#connections) connection.tick(now);
    this.#renewPair();
  }

  /** No new connections; those that are idle end. */
  stop(): Promise<unknown> {
    for (const connection of this.#connections) connection.close();
    return Promise.all([
      this.#http2.stop(),
      ...this.#servers.map((server) => new Promise((resolve) => server.close(resolve))),
    ]);
  }

  /** Ends whatever is still open. */
  async destroy(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.#http2[Symbol.asyncDispose]();
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  /** Connections from now on get the certificate that was renewed meanwhile. */
  #renewPair(): void {
    const { defaultPair, log } = this.#options;
    const pair = defaultPair();
    if (pair.cert === this.#pair.cert && pair.key === this.#pair.key) return;
    this.#pair = pair;
    for (const server of this.#servers) server.setSecureContext(pair);
    log.info("preview URLs have a new certificate");
  }

  #contextFor(secureContextFor: SecureContextFor) {
    return (servername: string, done: (error: Error | null, context?: SecureContext) => void) => {
      Promise.resolve().then(() => secureContextFor(servername)).then(
        (context) => done(null, context),
        (error) => {
          this.#options.log.error("no certificate for a visitor", { servername, error });
          done(error);
        },
      );
    };
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #secured(socket: TLSSocket): void {
    this.#track(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const from = addressesOf(socket);
    if (socket.alpnProtocol === "h2") this.#http2.take(socket, from);
    else this.#read(socket, from);
  }

  /** Requests in HTTP/1.1: a visitor's own, or those of one who speaks HTTP/2. */
  #read(socket: Socket, from: VisitorAddress): void {
    const { limits, onVisit, onBroken } = this.#options;
    const connection = new H1Connection({
      ...{ socket, limits, onVisit, onBroken },
      ...from,
      deadline: performance.now() + limits.gatewayHeadTimeoutMs,
      onDetached: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    socket.on("close", () => this.#connections.delete(connection));
  }
}

function cannotListen(host: string, port: number, cause: Error & { code?: string }): PaddockError {
  return cause.code === "EADDRINUSE"
    ? new PaddockError("ADDRESS_IN_USE", {
      ...{
        message: `${host}:${port} is in use by another program`,
        field: "ingress.listen",
        cause,
      },
      hint: "Choose another with `--ingress-listen`; port 0 takes any free one.",
    })
    : new PaddockError("INVALID_SERVER_CONFIG", {
      message: `cannot listen on ${host}:${port}: ${cause.message}`,
      ...{ field: "ingress.listen", cause },
    });
}

const KEEP_ALIVE_MS = 30_000;

function addressesOf(socket: TLSSocket): VisitorAddress {
  // Typed as if there always was one; it is false when the visitor named no server.
  const servername = (socket as unknown as { servername?: string | false | null }).servername;
  const remoteAddress = (socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/i, "");
  return { servername: servername || undefined, remoteAddress };
}

import {
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
// By itself: the package as a whole would be a lot for this process.
import { UnixSocket } from "@paddock/driver/unix_socket";
import { answerError, newTraceId } from "../http/error_answer.ts";
import { GuestConnection } from "../http/guest_connection.ts";
import { H2Visit, readH2Request } from "../http/h2_visit.ts";
import type { VisitRequest } from "../http/visit.ts";
import { PaddockError } from "@paddock/protocol";
import type { Http2ProcessConfig } from "./http2_process.ts";
import { RequestBridge } from "./request_bridge.ts";
import { writeTag } from "./session_tag.ts";

/** How long an idle session may take to say goodbye. */
const CLOSE_SESSION_MS = 2_000;
/** The daemon closes its side of an idle connection later than this. */
const IDLE_CONNECTION_MS = 2_000;
const MAX_IDLE_CONNECTIONS = 16;
const MAX_HEADER_FIELDS = 128;
/** Of an HTTP/2 frame: nothing follows. */
const END_STREAM = 1;

interface Session {
  tag: string;
  session: ServerHttp2Session;
  streams: number;
  idleSince: number;
  /** Connections to the daemon that carried a request of this session and may carry another. */
  idle: GuestConnection[];
}

/** Visitors' sessions of HTTP/2; each request goes on to the daemon as one of HTTP/1.1. */
export class Http2Sessions {
  readonly #config: Http2ProcessConfig;
  readonly #report: (error: unknown) => void;
  readonly #server: Http2Server;
  readonly #sessions = new Map<ServerHttp2Session, Session>();
  /** Of the connection that is being taken: its session is made before `emit` returns. */
  #taking = "";
  #stopping = false;

  constructor(config: Http2ProcessConfig, report: (error: unknown) => void) {
    this.#config = config;
    this.#report = report;
    this.#server = createHttp2Server({
      maxHeaderListPairs: MAX_HEADER_FIELDS,
      settings: {
        maxConcurrentStreams: config.streams,
        maxHeaderListSize: config.headBytes,
        initialWindowSize: 1 << 20,
        enablePush: false,
      },
    });
    this.#server.on("session", (session) => this.#opened(session));
    this.#server.on(
      "stream",
      (stream: ServerHttp2Stream, _: unknown, flags: number, raw: string[]) =>
        this.#requested(stream, flags, raw),
    );
    this.#server.on("sessionError", () => {});
    this.#server.on("error", report);
  }

  /** A visitor's connection, without TLS; the tag says to the daemon whose it is. */
  take(socket: Socket, tag: string): void {
    if (this.#stopping) return void socket.destroy();
    this.#taking = tag;
    this.#server.emit("connection", socket);
    socket.resume();
  }

  /** Called every second or so. */
  tick(now: number): void {
    for (const { session, streams, idleSince, idle } of this.#sessions.values()) {
      while (idle.length > 0 && idle[0].expiresAt <= now) idle.shift()!.destroy();
      if (streams > 0 || now - idleSince < this.#config.idleMs) continue;
      // A head that never ends is no stream yet, but keeps a session from closing.
      if (now - idleSince > this.#config.idleMs + CLOSE_SESSION_MS) session.destroy();
      else session.close();
    }
  }

  /** Sessions end once their requests have. */
  stop(): void {
    this.#stopping = true;
    for (const session of this.#sessions.keys()) session.close();
  }

  #opened(session: ServerHttp2Session): void {
    const entry: Session = {
      ...{ tag: this.#taking, session, streams: 0, idle: [] },
      idleSince: performance.now(),
    };
    this.#sessions.set(session, entry);
    session.on("error", () => {});
    session.on("close", () => {
      this.#sessions.delete(session);
      for (const connection of entry.idle.splice(0)) connection.destroy();
    });
  }

  #requested(stream: ServerHttp2Stream, flags: number, raw: string[]): void {
    const entry = stream.session && this.#sessions.get(stream.session as ServerHttp2Session);
    if (!entry) return void stream.destroy();
    entry.streams++;
    stream.on("close", () => {
      entry.streams--;
      entry.idleSince = performance.now();
    });
    const nobody = { servername: undefined, remoteAddress: "" };
    let request: VisitRequest;
    try {
      request = readH2Request(raw, (flags & END_STREAM) !== 0, nobody, this.#config.headBytes);
    } catch (error) {
      const unread: VisitRequest = {
        ...{ ...nobody, method: "GET", target: "/", host: "", headers: [], body: "none" },
        upgrade: undefined,
      };
      return this.#refuse(new H2Visit(stream, unread), error);
    }
    const visit = new H2Visit(stream, request);
    new RequestBridge(visit, {
      reuse: () => this.#reuse(entry),
      connect: () => this.#connect(entry),
      refuse: (error) => this.#refuse(visit, error),
    }).start();
  }

  #reuse({ idle }: Session): GuestConnection | undefined {
    for (let connection; (connection = idle.pop());) if (!connection.closed) return connection;
    return undefined;
  }

  async #connect({ tag, idle, session }: Session): Promise<GuestConnection> {
    const connection = await UnixSocket.connect(this.#config.requestsPath).catch((cause) => {
      throw new PaddockError("INTERNAL_ERROR", { cause });
    });
    const socket = connection as unknown as Socket;
    writeTag(socket, tag);
    return new GuestConnection(socket, {
      headBytes: this.#config.headBytes,
      onFree: (connection) => {
        if (session.destroyed || idle.length >= MAX_IDLE_CONNECTIONS) return connection.destroy();
        connection.expiresAt = performance.now() + IDLE_CONNECTION_MS;
        idle.push(connection);
      },
      onClosed: () => {},
    });
  }

  #refuse(visit: H2Visit, reason: unknown): void {
    const error = PaddockError.from(reason);
    if (error.blame === "us") this.#report(reason);
    try {
      answerError(visit, error, newTraceId());
    } catch (problem) {
      this.#report(problem);
      visit.abort();
    }
  }
}

import { readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { type Log, sleep, UnixListener, UnixSocket } from "@paddock/driver";
import { type LimitValues, PaddockError } from "@paddock/protocol";
import { hold } from "../http/flow.ts";
import { splice } from "../http/splice.ts";
import type { VisitRequest } from "../http/visit.ts";
import { readTag, writeTag } from "./session_tag.ts";

/** What the process is told at its start. */
export interface Http2ProcessConfig {
  /** Where it listens for visitors' sessions. */
  sessionsPath: string;
  /** Where the daemon listens for their requests. */
  requestsPath: string;
  streams: number;
  headBytes: number;
  idleMs: number;
}

export type VisitorAddress = Pick<VisitRequest, "servername" | "remoteAddress">;

export interface Http2ProcessOptions {
  limits: LimitValues;
  log: Log;
  /** A request of a visitor, in HTTP/1.1; nothing of it is read yet. */
  onRequests: (socket: Socket, from: VisitorAddress) => void;
}

const START_MS = 15_000;
const END_MS = 5_000;
/** A process that ended is started again, but not at the pace at which a visitor could end it. */
const RESTART_AFTER_MS = 500;
const MAX_STDERR_LINE = 500;
const CONNECT_TRIES = 3;
const MEMORY_EVERY_MS = 250;
const MiB = 1024 * 1024;

interface Running {
  child: Deno.ChildProcess;
  stdin: WritableStreamDefaultWriter<Uint8Array>;
}

/**
 * HTTP/2 with visitors, in a process of its own. `node:http2` of Deno 2.9 is written in C that a
 * visitor can make abort; then visitors of HTTP/2 have to connect anew, and nobody else notices.
 *
 *     visitor ── TLS ──▶ daemon ── sessions ──▶ process
 *                          ▲                       │
 *                          └───── requests ────────┘   HTTP/1.1, one connection each
 */
export class Http2Process implements AsyncDisposable {
  readonly #options: Http2ProcessOptions;
  readonly #visitors = new Map<string, VisitorAddress>();
  readonly #sockets = new Set<Socket>();
  #nextTag = 1;
  #directory: string | undefined;
  #requests: UnixListener | undefined;
  #running: Promise<Running> | undefined;
  /** The last one that was started. */
  #child: Deno.ChildProcess | undefined;
  #endedAt = -Infinity;
  #closed = false;

  constructor(options: Http2ProcessOptions) {
    this.#options = options;
  }

  /** A visitor whose TLS is open and who speaks HTTP/2. Starts the process for the first. */
  take(visitor: Socket, from: VisitorAddress): void {
    hold(visitor);
    this.#connect().then((session) => {
      if (visitor.destroyed || this.#closed) return void session.destroy();
      const tag = String(this.#nextTag++);
      this.#visitors.set(tag, from);
      session.on("close", () => this.#visitors.delete(tag));
      this.#track(session);
      writeTag(session, tag);
      splice(visitor, session);
    }).catch((error) => {
      this.#options.log.warn("a visitor of HTTP/2 could not be served", { error: String(error) });
      visitor.destroy();
    });
  }

  /** Requests under way are finished, and nothing new is taken. */
  async stop(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const running = await this.#running?.catch(() => undefined);
    await running?.stdin.write(new TextEncoder().encode("stop\n")).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
    const running = await this.#running?.catch(() => undefined);
    if (running) await endChild(running);
    this.#requests?.[Symbol.dispose]();
    if (this.#directory) rmSync(this.#directory, { recursive: true, force: true });
  }

  async #connect(): Promise<Socket> {
    for (let tries = 1;; tries++) {
      this.#running ??= this.#start();
      const { child } = await this.#running;
      try {
        return asSocket(await UnixSocket.connect(join(this.#directory!, "sessions")));
      } catch (error) {
        // It has just ended, and nothing was said to it yet: its successor can serve the visitor.
        if (tries === CONNECT_TRIES || this.#closed) throw error;
        await Promise.race([child.status, sleep(RESTART_AFTER_MS)]);
      }
    }
  }

  async #start(): Promise<Running> {
    try {
      const wait = this.#endedAt + RESTART_AFTER_MS - performance.now();
      if (wait > 0) await sleep(wait);
      if (this.#closed) throw new PaddockError("SHUTTING_DOWN");
      // Short, for the path of a socket has 107 bytes; and nobody else's to enter.
      this.#directory ??= Deno.makeTempDirSync({ dir: "/tmp", prefix: "paddock-h2-" });
      this.#listen();
      rmSync(join(this.#directory, "sessions"), { force: true });
      const running = this.#spawn();
      void this.#watch(running);
      this.#watchMemory(running.child);
      await ready(running.child.stdout);
      return running;
    } catch (error) {
      this.#running = undefined;
      this.#endedAt = performance.now();
      throw error;
    }
  }

  #listen(): void {
    this.#requests ??= new UnixListener(join(this.#directory!, "requests"), (connection) => {
      const socket = asSocket(connection);
      this.#track(socket);
      readTag(socket).then((tag) => {
        const from = this.#visitors.get(tag);
        if (!from || socket.destroyed) return void socket.destroy();
        this.#options.onRequests(socket, from);
        socket.resume();
      }, () => socket.destroy());
    });
  }

  #spawn(): Running {
    const { limits } = this.#options;
    const config: Http2ProcessConfig = {
      sessionsPath: join(this.#directory!, "sessions"),
      requestsPath: join(this.#directory!, "requests"),
      streams: limits.gatewayStreams,
      headBytes: limits.gatewayHeadBytes,
      idleMs: limits.gatewayIdleMs,
    };
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-lock", "--no-prompt", "--cached-only"],
        // A visitor who takes the process over finds two sockets in it, and no way to the host.
        ...[`--allow-read=${this.#directory}`, `--allow-write=${this.#directory}`, "--allow-env"],
        `--allow-net=unix:${config.sessionsPath},unix:${config.requestsPath}`,
        ...[import.meta.dirname + "/http2_main.ts", JSON.stringify(config)],
      ],
      env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent", NO_COLOR: "1" },
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return { child, stdin: child.stdin.getWriter() };
  }

  async #watch({ child }: Running): Promise<void> {
    const { log } = this.#options;
    this.#child = child;
    void child.status.then(() => {
      if (this.#child === child) this.#running = undefined;
      this.#endedAt = performance.now();
    });
    let last = "";
    const lines = child.stderr.pipeThrough(new TextDecoderStream());
    for await (const text of lines) {
      last = text.trim().slice(-MAX_STDERR_LINE);
      log.debug("HTTP/2 process", { text: last });
    }
    const { code, signal } = await child.status;
    if (!this.#closed) log.error("the HTTP/2 process ended", { code, signal, last });
  }

  /** node:http2 keeps what a visitor's headers unpack to, whatever its own limits say. */
  #watchMemory(child: Deno.ChildProcess): void {
    const { limits, log } = this.#options;
    const timer = setInterval(() => {
      const bytes = residentBytes(child.pid);
      if (bytes <= limits.gatewayHttp2Mb * MiB) return;
      log.error("the HTTP/2 process is ended: it uses more memory than it may", {
        bytes,
        limit: "gatewayHttp2Mb",
      });
      child.kill("SIGKILL");
    }, MEMORY_EVERY_MS);
    Deno.unrefTimer(timer);
    child.status.finally(() => clearInterval(timer));
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
  }
}

/** Whoever uses one uses nothing of it but what every stream has. */
function asSocket(connection: UnixSocket): Socket {
  connection.on("error", () => {});
  return connection as unknown as Socket;
}

/** 0 once it has ended. */
function residentBytes(pid: number): number {
  try {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return match ? Number(match[1]) * 1024 : 0;
  } catch {
    return 0;
  }
}

/** Waits for the line that says so; what comes later is let go. */
async function ready(stdout: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stdout.getReader();
  const timer = setTimeout(() => reader.cancel(), START_MS);
  try {
    const { value } = await reader.read();
    if (!value) throw new Error("the HTTP/2 process did not start");
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}

async function endChild({ child, stdin }: Running): Promise<void> {
  const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
  await stdin.close().catch(() => {});
  await child.status;
  clearTimeout(timer);
}

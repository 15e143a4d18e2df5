/**
 * Sends `GET /` over keep-alive connections for a while and prints what it saw. As fast as answers
 * come, one request at a time on each connection; or, with `rate`, that many requests a second in
 * all, however fast they are answered: then a latency counts from when its request was due, so that
 * a request which waits behind a slow one is slow as well.
 */
import type { Socket } from "node:net";
import process from "node:process";
import { dialMany, printResult, readArgument, type Target } from "./target.ts";

export interface RequestsArgument {
  target: Target;
  connections: number;
  warmUpSeconds: number;
  seconds: number;
  rate?: number;
}

export interface RequestsResult {
  requestsPerSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** How many latencies those are of. */
  samples: number;
  /** The part of a processor that this program used: near 1, it measured itself. */
  generatorCpu: number;
}

const { target, connections, warmUpSeconds, seconds, rate } = readArgument<RequestsArgument>();
const request = Buffer.from(
  `GET / HTTP/1.1\r\nhost: ${target.authority}\r\naccept: */*\r\nuser-agent: paddock-bench\r\n\r\n`,
);
const begin = performance.now() + warmUpSeconds * 1000;
const end = begin + seconds * 1000;
const latencies: number[] = [];
let answered = 0;

class Connection {
  readonly #socket: Socket;
  readonly #onIdle: (connection: Connection) => void;
  /** Due times: of the request on its way, and of those that wait for it. */
  readonly #due: number[] = [];
  #head: Buffer = Buffer.alloc(0);
  #bodyLeft = 0;

  constructor(socket: Socket, onIdle: (connection: Connection) => void) {
    this.#socket = socket;
    this.#onIdle = onIdle;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("the server closed a connection")));
  }

  ask(due: number): void {
    this.#due.push(due);
    if (this.#due.length === 1) this.#socket.write(request);
  }

  #read(chunk: Buffer): void {
    while (chunk.length > 0) {
      if (this.#bodyLeft === 0) {
        const seen = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
        const at = seen.indexOf("\r\n\r\n");
        if (at < 0) {
          this.#head = seen;
          return;
        }
        const head = seen.toString("latin1", 0, at);
        const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
        if (!head.startsWith("HTTP/1.1 200") || !length) return fail(new Error(head));
        this.#bodyLeft = Number(length);
        this.#head = Buffer.alloc(0);
        chunk = seen.subarray(at + 4);
      }
      const part = Math.min(this.#bodyLeft, chunk.length);
      this.#bodyLeft -= part;
      chunk = chunk.subarray(part);
      if (this.#bodyLeft === 0) this.#answered();
    }
  }

  #answered(): void {
    const now = performance.now();
    const due = this.#due.shift()!;
    if (now >= begin && now < end) {
      answered++;
      latencies.push(now - due);
    }
    if (this.#due.length > 0) this.#socket.write(request);
    else this.#onIdle(this);
  }
}

function fail(error: Error): void {
  if (performance.now() >= end) return;
  console.error(error);
  process.exit(1);
}

const sockets = await dialMany(target, connections);
const cpuBefore = process.cpuUsage();
const cpuSince = performance.now();
if (rate === undefined) {
  const again = (connection: Connection) => {
    const now = performance.now();
    if (now < end) connection.ask(now);
  };
  for (const socket of sockets) again(new Connection(socket, again));
  await new Promise((resolve) => setTimeout(resolve, end - performance.now()));
} else {
  const open = sockets.map((socket) => new Connection(socket, () => {}));
  const gapMs = 1000 / rate;
  let next = performance.now();
  for (let turn = 0; next < end;) {
    for (const now = performance.now(); next <= now; next += gapMs) {
      // The generator's own timer may be late: that is no fault of who answers.
      open[turn++ % open.length].ask(now);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
  }
}
latencies.sort((a, b) => a - b);
const { user, system } = process.cpuUsage(cpuBefore);
const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)];
printResult(
  {
    requestsPerSecond: answered / seconds,
    p50: at(0.5),
    p99: at(0.99),
    samples: latencies.length,
    generatorCpu: (user + system) / 1000 / (performance.now() - cpuSince),
  } satisfies RequestsResult,
);
process.exit(0);

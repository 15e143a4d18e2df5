import type { Socket } from "node:net";
import { type LimitValues, PaddockError } from "@paddock/protocol";
import { ChunkedDecoder } from "./chunked_decoder.ts";
import { hold, release } from "./flow.ts";
import { HeadCollector } from "./head_collector.ts";
import { type Headers, writeFields } from "./header_fields.ts";
import { parseRequestHead, type RequestHead } from "./request_head.ts";
import type { ResponseHead } from "./response_head.ts";
import type { AnswerStart, BodyReader, Visit, VisitRequest } from "./visit.ts";
import { writeChunk, writeLastChunk } from "./write_chunk.ts";

/** How long a connection that is being closed is still read, so that its answer gets through. */
const LINGER_MS = 2_000;
const NO_BYTES = Buffer.alloc(0);

export interface H1Options {
  socket: Socket;
  servername: string | undefined;
  remoteAddress: string;
  limits: LimitValues;
  /** When the visitor's time for its first head is over. */
  deadline: number;
  onVisit: (visit: Visit) => void;
  /** Answers a request that could not be read. */
  onBroken: (visit: Visit, error: unknown) => void;
  /** It switched protocols: from here on it belongs to somebody else. */
  onDetached: () => void;
}

/** A visitor's connection that speaks HTTP/1.x: one request after the other. */
export class H1Connection {
  readonly #options: H1Options;
  readonly #socket: Socket;
  readonly #collector: HeadCollector;
  #visit: H1Visit | undefined;
  /** What came behind the request that is being answered. */
  #held: Buffer = NO_BYTES;
  #deadline: number;
  #closing = false;

  constructor(options: H1Options) {
    this.#options = options;
    this.#socket = options.socket;
    this.#deadline = options.deadline;
    this.#collector = new HeadCollector(options.limits.gatewayHeadBytes);
    this.#socket.on("data", this.#onData);
    this.#socket.on("drain", this.#onDrain);
    this.#socket.on("end", this.#onEnd);
    this.#socket.on("close", this.#onClose);
  }

  /** Called every second or so. */
  tick(now: number): void {
    if (now < this.#deadline) return;
    if (this.#visit || this.#closing || this.#collector.empty) return void this.#socket.destroy();
    this.#refuse(
      new PaddockError("REQUEST_TOO_SLOW", { details: { limit: "gatewayHeadTimeoutMs" } }),
    );
  }

  /** No further requests: an idle one ends now, another one after its answer. */
  close(): void {
    this.#closing = true;
    if (!this.#visit) this.#socket.end();
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#visit) return this.#visit.received(chunk);
    if (this.#closing) return;
    // What came before it is still to be read: in another order it would be other requests.
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = NO_BYTES;
    this.#readHead(bytes);
  };

  readonly #onDrain = (): void => this.#visit ? this.#visit.onDrain() : this.#readHeld();

  // Who closes its side does not wait for an answer: a browser's closed tab looks like this.
  readonly #onEnd = (): void => void (this.#visit ? this.#socket.destroy() : this.#socket.end());

  readonly #onClose = (): void => {
    const visit = this.#visit;
    this.#visit = undefined;
    visit?.gone();
  };

  #readHead(chunk: Buffer): void {
    if (chunk.length === 0) return;
    const { limits } = this.#options;
    if (this.#collector.empty && this.#deadline !== this.#options.deadline) {
      this.#deadline = performance.now() + limits.gatewayHeadTimeoutMs;
    }
    const collected = this.#collector.push(chunk);
    if (collected.state === "incomplete") return;
    if (collected.state === "too large") {
      return this.#refuse(
        new PaddockError("HEAD_TOO_LARGE", {
          message: `The head of the request is larger than ${limits.gatewayHeadBytes} bytes.`,
          details: { limit: "gatewayHeadBytes", max: limits.gatewayHeadBytes },
        }),
      );
    }
    if (collected.state === "malformed") {
      return this.#refuse(
        new PaddockError("INVALID_REQUEST", { message: "This is no HTTP/1.1 request." }),
      );
    }
    let head: RequestHead;
    try {
      head = parseRequestHead(collected.text);
    } catch (error) {
      return this.#refuse(error);
    }
    this.#deadline = Infinity;
    const visit = this.#visit = this.#newVisit(head, collected.rest);
    this.#options.onVisit(visit);
  }

  #newVisit(head: RequestHead, rest: Buffer): H1Visit {
    const { socket, servername, remoteAddress } = this.#options;
    return new H1Visit(socket, { ...head, servername, remoteAddress }, head, rest, {
      done: (rest, reusable) => this.#visitDone(rest, reusable),
      detach: () => this.#detach(),
    });
  }

  #visitDone(rest: Buffer, reusable: boolean): void {
    this.#visit = undefined;
    if (!reusable || this.#closing) return this.#closeGently();
    this.#deadline = performance.now() + this.#options.limits.gatewayIdleMs;
    this.#held = rest;
    if (rest.length === 0 && !this.#socket.writableNeedDrain) return release(this.#socket);
    // What is not read cannot overtake it.
    hold(this.#socket);
    // Not from within the answer to the request before.
    queueMicrotask(() => this.#readHeld());
  }

  /** Goes on with what came behind a request; not before its answer was taken, for answers wait in memory. */
  #readHeld(): void {
    if (this.#visit || this.#closing || this.#socket.destroyed) return;
    if (this.#socket.writableNeedDrain) return;
    const held = this.#held;
    this.#held = NO_BYTES;
    this.#readHead(held);
    if (!this.#visit) release(this.#socket);
  }

  /** What cannot be read as a request is answered as one, and the connection ends. */
  #refuse(error: unknown): void {
    this.#deadline = Infinity;
    this.#closing = true;
    const head: RequestHead = {
      ...{ method: "GET", target: "/", version: "1.1", headers: [], host: "", body: "none" },
      ...{ upgrade: undefined, close: true },
    };
    const visit = this.#visit = this.#newVisit(head, NO_BYTES);
    this.#options.onBroken(visit, error);
  }

  /** A reset would take the answer with it: what still comes is read and dropped for a while. */
  #closeGently(): void {
    this.#closing = true;
    this.#socket.end();
    release(this.#socket);
    this.#deadline = performance.now() + LINGER_MS;
  }

  #detach(): void {
    this.#visit = undefined;
    this.#deadline = Infinity;
    const socket = this.#socket;
    hold(socket);
    socket.removeListener("data", this.#onData);
    socket.removeListener("drain", this.#onDrain);
    socket.removeListener("end", this.#onEnd);
    socket.removeListener("close", this.#onClose);
    this.#options.onDetached();
  }
}

interface Owner {
  done(rest: Buffer, reusable: boolean): void;
  detach(): void;
}

class H1Visit implements Visit {
  onGone = () => {};
  onDrain = () => {};
  readonly request: VisitRequest;
  bodyComplete: boolean;
  readonly #socket: Socket;
  readonly #head: RequestHead;
  readonly #owner: Owner;
  #held: Buffer;
  #reader: BodyReader | undefined;
  #left: number;
  #chunks: ChunkedDecoder | undefined;
  #paused = false;
  #chunked = false;
  #close: boolean;
  #ended = false;

  constructor(
    socket: Socket,
    request: VisitRequest,
    head: RequestHead,
    rest: Buffer,
    owner: Owner,
  ) {
    this.#socket = socket;
    this.request = request;
    this.#head = head;
    this.#owner = owner;
    this.#held = rest;
    this.#close = head.close;
    const { body } = head;
    this.#left = typeof body === "object" ? body.length : 0;
    this.bodyComplete = body === "none" || typeof body === "object" && body.length === 0;
    // What is not read yet waits in the network, not in memory.
    if (!this.bodyComplete || rest.length > 0) hold(socket);
  }

  received(chunk: Buffer): void {
    if (this.#ended && !this.bodyComplete) return;
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    if (this.bodyComplete || !this.#reader || this.#paused) hold(this.#socket);
    else this.#readHeld();
  }

  readBody(reader: BodyReader): void {
    this.#reader = reader;
    if (this.#head.body === "chunked") {
      this.#chunks = new ChunkedDecoder((data) => this.#reader?.data(data));
    }
    if (this.bodyComplete) return reader.end([]);
    this.#readHeld();
    if (!this.#paused && !this.bodyComplete) release(this.#socket);
  }

  pauseBody(): void {
    this.#paused = true;
    hold(this.#socket);
  }

  resumeBody(): void {
    this.#paused = false;
    if (this.bodyComplete || !this.#reader) return;
    this.#readHeld();
    if (!this.#paused && !this.bodyComplete) release(this.#socket);
  }

  #readHeld(): void {
    const bytes = this.#held;
    if (bytes.length === 0) return;
    this.#held = NO_BYTES;
    if (this.#chunks) {
      let taken: number;
      try {
        taken = this.#chunks.push(bytes);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        return void this.#socket.destroy();
      }
      this.#held = bytes.subarray(taken);
      if (this.#chunks.done) this.#bodyDone(this.#chunks.trailers!);
      return;
    }
    const take = Math.min(this.#left, bytes.length);
    this.#left -= take;
    this.#held = bytes.subarray(take);
    this.#reader!.data(take === bytes.length ? bytes : bytes.subarray(0, take));
    if (this.#left === 0) this.#bodyDone([]);
  }

  #bodyDone(trailers: Headers): void {
    this.bodyComplete = true;
    // Read on, to notice when the visitor goes; another request that is there already waits.
    if (this.#held.length === 0) release(this.#socket);
    else hold(this.#socket);
    this.#reader!.end(trailers);
  }

  inform({ status, reason, headers }: ResponseHead): void {
    if (this.#head.version === "1.0") return;
    this.#socket.write(`HTTP/1.1 ${status} ${reason}\r\n${writeFields(headers)}\r\n`, "latin1");
  }

  begin({ status, reason, headers, body }: AnswerStart): void {
    const old = this.#head.version === "1.0";
    this.#chunked = !old && (body === "chunked" || body === "close");
    if (old || !this.bodyComplete) this.#close = true;
    let head = `HTTP/1.1 ${status} ${reason}\r\n`;
    head += writeFields(
      // An answer without a body may say how long it would be, to HEAD and in 304.
      body === "none" && status !== 204
        ? headers
        : headers.filter(({ key }) => key !== "content-length"),
    );
    if (typeof body === "object") head += `Content-Length: ${body.length}\r\n`;
    if (this.#chunked) head += "Transfer-Encoding: chunked\r\n";
    if (this.#close) head += "Connection: close\r\n";
    // The head leaves with the first part of the body when that is there already.
    this.#socket.cork();
    this.#socket.write(`${head}\r\n`, "latin1");
    queueMicrotask(() => this.#socket.uncork());
  }

  write(chunk: Uint8Array): boolean {
    if (chunk.length === 0 || !this.#socket.writable) return true;
    if (!this.#chunked) return this.#socket.write(chunk);
    return writeChunk(this.#socket, chunk);
  }

  end(trailers: Headers): void {
    this.#ended = true;
    if (this.#chunked) writeLastChunk(this.#socket, trailers);
    this.#owner.done(this.#held, this.bodyComplete && !this.#close);
  }

  abort(): void {
    this.#socket.destroy();
  }

  gone(): void {
    if (!this.#ended) this.onGone();
  }

  switchProtocols({ reason, headers }: ResponseHead): { socket: Socket; rest: Buffer } | undefined {
    if (!this.#socket.writable) return undefined;
    this.#ended = true;
    const rest = this.#held;
    this.#owner.detach();
    this.#socket.write(
      `HTTP/1.1 101 ${reason}\r\nConnection: Upgrade\r\nUpgrade: ${this.#head.upgrade}\r\n` +
        `${writeFields(headers)}\r\n`,
      "latin1",
    );
    return { socket: this.#socket, rest };
  }
}

import type { Socket } from "node:net";
import { countSplicedBytes } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import { ChunkedDecoder } from "./chunked_decoder.ts";
import { HeadCollector } from "./head_collector.ts";
import type { Headers } from "./header_fields.ts";
import type { Body } from "./request_head.ts";
import { parseResponseHead, type ResponseHead } from "./response_head.ts";
import { writeChunk, writeLastChunk } from "./write_chunk.ts";

const MAX_INFORMATIONAL = 16;
const NOTHING: Headers = [];

/** Who reads an answer. After `end`, `failed` or `upgraded` nothing follows. */
export interface AnswerReader {
  informational(head: ResponseHead): void;
  head(head: ResponseHead): void;
  data(chunk: Uint8Array): void;
  end(trailers: Headers): void;
  /** `untouched`: not a byte of an answer came. */
  failed(error: PaddockError, untouched: boolean): void;
  /** The guest took what was held back. */
  drain(): void;
  upgraded(head: ResponseHead, socket: Socket, rest: Buffer): void;
}

export interface GuestRequest {
  method: string;
  /** Request line and headers, complete. */
  head: string;
  body: Body;
  upgrading: boolean;
}

/**
 * One connection to a server in a guest, which carries one request at a time. What the guest sends is
 * taken apart strictly; when there is a doubt about where an answer ends, the connection ends too, so
 * that no visitor ever reads a part of another one's answer.
 */
export class GuestConnection {
  readonly #socket: Socket;
  readonly #collector: HeadCollector;
  readonly #onFree: (connection: GuestConnection) => void;
  readonly #onClosed: (connection: GuestConnection) => void;
  #request: GuestRequest | undefined;
  #reader: AnswerReader | undefined;
  #answer: ResponseHead | undefined;
  #chunks: ChunkedDecoder | undefined;
  #left = 0;
  #informational = 0;
  #bodyLeft = 0;
  #bodyDone = true;
  #touched = false;
  #detached = false;
  #failure: PaddockError | undefined;
  /** Carried a request before: the server may close it at any moment. */
  used = false;
  /** When an idle one is closed. */
  expiresAt = Infinity;

  constructor(
    socket: Socket,
    options: {
      headBytes: number;
      onFree: (connection: GuestConnection) => void;
      onClosed: (connection: GuestConnection) => void;
    },
  ) {
    this.#socket = socket;
    this.#collector = new HeadCollector(options.headBytes);
    this.#onFree = options.onFree;
    this.#onClosed = options.onClosed;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("drain", this.#onDrain);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
    socket.resume();
  }

  get closed(): boolean {
    return this.#socket.destroyed;
  }

  send(request: GuestRequest, reader: AnswerReader): void {
    this.#request = request;
    this.#reader = reader;
    this.#answer = undefined;
    this.#chunks = undefined;
    this.#informational = 0;
    this.#touched = false;
    const { body } = request;
    this.#bodyLeft = typeof body === "object" ? body.length : 0;
    this.#bodyDone = body === "none" || typeof body === "object" && body.length === 0;
    this.#socket.write(request.head, "latin1");
    if (this.#socket.destroyed) queueMicrotask(this.#onClose);
  }

  /** Passes on a part of the request's body; false when the guest should be waited for. */
  write(chunk: Uint8Array): boolean {
    if (chunk.length === 0 || !this.#socket.writable) return true;
    countSplicedBytes(chunk.length);
    if (this.#request!.body !== "chunked") {
      if (chunk.length > this.#bodyLeft) {
        this.destroy(new PaddockError("INVALID_REQUEST", { message: "The body is too long." }));
        return true;
      }
      this.#bodyLeft -= chunk.length;
      return this.#socket.write(chunk);
    }
    return writeChunk(this.#socket, chunk);
  }

  endBody(trailers: Headers): void {
    if (this.#bodyDone) return;
    if (this.#bodyLeft > 0) {
      this.destroy(new PaddockError("INVALID_REQUEST", { message: "The body is too short." }));
      return;
    }
    this.#bodyDone = true;
    if (this.#request!.body === "chunked" && this.#socket.writable) {
      writeLastChunk(this.#socket, trailers);
    }
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends it at once; a reader that still waits is told the error. */
  destroy(error?: PaddockError): void {
    this.#failure ??= error;
    if (error === undefined) this.#reader = undefined;
    else this.#fail(error);
    this.#socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    // Nobody asked for it: a server that answers ahead is not asked again.
    if (!this.#reader) return this.destroy();
    this.#touched = true;
    countSplicedBytes(chunk.length);
    let bytes = chunk;
    try {
      while (bytes.length > 0 && this.#reader) {
        bytes = this.#answer ? this.#readBody(bytes) : this.#readHead(bytes);
        if (this.#detached) return;
      }
    } catch (error) {
      // A mistake of ours costs this visit and is in the log; thrown from here it would end the daemon.
      if (error instanceof SyntaxError) this.#broken(error.message);
      else this.destroy(PaddockError.from(error));
    }
    if (bytes.length > 0) this.#socket.destroy();
  };

  #readHead(bytes: Buffer): Buffer {
    const collected = this.#collector.push(bytes);
    if (collected.state === "incomplete") return bytes.subarray(bytes.length);
    if (collected.state !== "complete") {
      throw new SyntaxError(
        collected.state === "too large" ? "its head is too large" : "its head is malformed",
      );
    }
    const { method, upgrading } = this.#request!;
    const head = parseResponseHead(collected.text, method);
    if (!head) throw new SyntaxError("its head is malformed");
    if (head.status === 101) {
      if (!upgrading) throw new SyntaxError("it switches protocols unasked");
      this.#detach(head, collected.rest);
      return collected.rest;
    }
    if (head.status < 200) {
      if (++this.#informational > MAX_INFORMATIONAL) throw new SyntaxError("it never comes to it");
      this.#reader!.informational(head);
      return collected.rest;
    }
    this.#answer = head;
    const { body } = head;
    const empty = body === "none" || typeof body === "object" && body.length === 0;
    if (typeof body === "object") this.#left = body.length;
    if (body === "chunked") this.#chunks = new ChunkedDecoder((data) => this.#reader?.data(data));
    this.#reader!.head(head);
    if (empty) this.#finish(collected.rest, NOTHING);
    return collected.rest;
  }

  #readBody(bytes: Buffer): Buffer {
    const { body } = this.#answer!;
    if (body === "close") {
      this.#reader!.data(bytes);
      return bytes.subarray(bytes.length);
    }
    if (this.#chunks) {
      const rest = bytes.subarray(this.#chunks.push(bytes));
      if (this.#chunks.done) this.#finish(rest, this.#chunks.trailers!);
      return rest;
    }
    const take = Math.min(this.#left, bytes.length);
    this.#left -= take;
    this.#reader!.data(take === bytes.length ? bytes : bytes.subarray(0, take));
    const rest = bytes.subarray(take);
    if (this.#left === 0) this.#finish(rest, NOTHING);
    return rest;
  }

  #finish(rest: Buffer, trailers: Headers): void {
    const reader = this.#reader;
    // The reader may have given up while it took the last bytes.
    if (!reader) return;
    const reusable = this.#answer!.keepAlive && this.#bodyDone && rest.length === 0 &&
      !this.#socket.destroyed && this.#socket.writable;
    this.#reader = undefined;
    this.#answer = undefined;
    this.#chunks = undefined;
    if (reusable) {
      this.used = true;
      this.#socket.resume();
      this.#onFree(this);
    } else this.#socket.destroy();
    reader.end(trailers);
  }

  #detach(head: ResponseHead, rest: Buffer): void {
    const reader = this.#reader!;
    this.#reader = undefined;
    this.#detached = true;
    const socket = this.#socket;
    socket.pause();
    socket.removeListener("data", this.#onData);
    socket.removeListener("end", this.#onEnd);
    socket.removeListener("drain", this.#onDrain);
    reader.upgraded(head, socket, rest);
  }

  readonly #onEnd = (): void => {
    if (this.#answer?.body === "close" && this.#reader) {
      this.#finish(NO_BYTES, NOTHING);
    } else if (this.#answer) this.#broken("it closed the connection in the middle");
    this.#socket.destroy();
  };

  readonly #onDrain = (): void => this.#reader?.drain();

  readonly #onError = (error: Error): void => {
    this.#fail(
      new PaddockError("GUEST_ANSWER_BROKEN", {
        message: "The server in the sandbox broke the connection off.",
        cause: error,
      }),
    );
  };

  readonly #onClose = (): void => {
    this.#fail(
      this.#failure ?? new PaddockError("GUEST_ANSWER_BROKEN", {
        message: "The server in the sandbox closed the connection without an answer.",
      }),
    );
    this.#onClosed(this);
  };

  #broken(why: string): void {
    this.#fail(
      new PaddockError("GUEST_ANSWER_BROKEN", {
        message: `The server in the sandbox did not answer in HTTP: ${why}.`,
      }),
    );
    this.#socket.destroy();
  }

  #fail(error: PaddockError): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.failed(error, !this.#touched);
  }
}

const NO_BYTES = Buffer.alloc(0);

import type { Socket } from "node:net";
import type { Headers } from "./header_fields.ts";
import type { Body } from "./request_head.ts";
import type { ResponseBody, ResponseHead } from "./response_head.ts";

/** What a visitor asked for, whichever version of HTTP it was asked in. */
export interface VisitRequest {
  readonly method: string;
  /** Path and query, or `*`. */
  target: string;
  /** As the visitor sent it, with a port if it had one. */
  readonly host: string;
  readonly headers: Headers;
  readonly body: Body;
  readonly upgrade: string | undefined;
  /** The name that TLS was opened for, if it said one. */
  readonly servername: string | undefined;
  readonly remoteAddress: string;
}

export interface BodyReader {
  data(chunk: Uint8Array): void;
  end(trailers: Headers): void;
}

export interface AnswerStart {
  status: number;
  reason: string;
  headers: Headers;
  body: ResponseBody;
}

/** One request of a visitor and the way to answer it. */
export interface Visit {
  readonly request: VisitRequest;
  /** The visitor went away, or what it sent is broken. Called once, not after the end of the answer. */
  onGone: () => void;
  /** The visitor took what was held back. */
  onDrain: () => void;
  /** Begins to read the body; nothing of it comes before. */
  readBody(reader: BodyReader): void;
  pauseBody(): void;
  resumeBody(): void;
  /** An answer such as 103 before the answer. */
  inform(head: ResponseHead): void;
  begin(answer: AnswerStart): void;
  /** False when the visitor should be waited for. */
  write(chunk: Uint8Array): boolean;
  end(trailers: Headers): void;
  /** Breaks off, so that the visitor can tell that something is missing. */
  abort(): void;
  /** The bare connection, after an answer of 101 was written to it; `rest` came behind the request. */
  switchProtocols(head: ResponseHead): { socket: Socket; rest: Buffer } | undefined;
}

import { constants, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { defaultLimits, PaddockError } from "@paddock/protocol";
import { field, type Headers, isName, isValue, single } from "./header_fields.ts";
import type { Body } from "./request_head.ts";
import type { ResponseHead } from "./response_head.ts";
import type { AnswerStart, BodyReader, Visit, VisitRequest } from "./visit.ts";

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Z]{1,32}$/;
const TARGET = /^(\/[\x21-\x7e\x80-\xff]*|\*)$/;
const AUTHORITY = /^[a-z0-9.\-_]{1,253}(?::\d{1,5})?$|^\[[0-9a-f:.]{2,45}\](?::\d{1,5})?$/i;
const LENGTH = /^\d{1,15}$/;
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

type Connection = Pick<VisitRequest, "servername" | "remoteAddress">;

/** The request of an HTTP/2 stream, or an INVALID_REQUEST: the same is refused as in HTTP/1.1. */
export function readH2Request(
  raw: readonly string[],
  endsWithHead: boolean,
  connection: Connection,
  headBytes: number = defaultLimits.gatewayHeadBytes,
): VisitRequest {
  // Compressed it was small: one field that is said once can be meant a hundred times.
  if (raw.reduce((sum, part) => sum + part.length, 0) > headBytes) {
    throw new PaddockError("HEAD_TOO_LARGE", {
      message: `The head of the request is larger than ${headBytes} bytes.`,
      details: { limit: "gatewayHeadBytes", max: headBytes },
    });
  }
  const pseudo = new Map<string, string>();
  const headers: Headers = [];
  const cookies: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name, value] = [raw[i], raw[i + 1]];
    if (name.startsWith(":")) {
      if (pseudo.has(name) || headers.length > 0) throw refusal("A pseudo header is misplaced.");
      pseudo.set(name, value);
      continue;
    }
    if (!isName(name) || !isValue(value) || name !== name.toLowerCase()) {
      throw refusal("A header is malformed.");
    }
    if (CONNECTION_SPECIFIC.has(name) || name === "te" && value !== "trailers") {
      throw refusal(`HTTP/2 has no ${name}.`);
    }
    if (name === "cookie") cookies.push(value);
    else headers.push(field(name, value));
  }
  // HTTP/2 may send them one by one, HTTP/1.1 may not.
  if (cookies.length > 0) headers.push(field("cookie", cookies.join("; ")));
  const method = pseudo.get(":method") ?? "";
  const target = pseudo.get(":path") ?? "";
  const authority = pseudo.get(":authority");
  const named = single(headers, "host");
  const host = authority ?? named;
  if (method === "CONNECT" || method === "TRACE") throw new PaddockError("METHOD_NOT_ALLOWED");
  if (!METHOD.test(method)) throw refusal("The method is malformed.");
  if (!TARGET.test(target) || target === "*" && method !== "OPTIONS") {
    throw refusal("The path is malformed.");
  }
  if (named === null || !host || !AUTHORITY.test(host) || named && named !== host) {
    throw refusal("The request must name one host, once.");
  }
  const body = bodyOf(headers, endsWithHead);
  return { ...connection, method, target, host, headers, body, upgrade: undefined };
}

function bodyOf(headers: Headers, endsWithHead: boolean): Body {
  const length = single(headers, "content-length");
  if (length === null || length !== undefined && !LENGTH.test(length)) {
    throw refusal("Content-Length is malformed.");
  }
  if (endsWithHead) {
    if (length !== undefined && Number(length) > 0) throw refusal("The body is missing.");
    return length === undefined ? "none" : { length: 0 };
  }
  return length === undefined ? "chunked" : { length: Number(length) };
}

function refusal(message: string): PaddockError {
  return new PaddockError("INVALID_REQUEST", { message });
}

/** A request on a stream of HTTP/2. */
export class H2Visit implements Visit {
  onGone = () => {};
  onDrain = () => {};
  readonly request: VisitRequest;
  readonly #stream: ServerHttp2Stream;
  #ended = false;
  #bodyComplete = false;
  #trailers: Headers = [];
  #sentTrailers: Headers = [];

  constructor(stream: ServerHttp2Stream, request: VisitRequest) {
    this.#stream = stream;
    this.request = request;
    stream.on("error", () => {});
    stream.on("close", () => {
      if (!this.#ended) this.onGone();
    });
    stream.on("aborted", () => {
      if (!this.#ended) this.onGone();
    });
    stream.on("drain", () => this.onDrain());
    stream.on("trailers", (trailers: object) => {
      this.#trailers = trailersOf(trailers);
    });
  }

  /** From the visitor's reset on, though the stream says so only later. */
  get #gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  readBody(reader: BodyReader): void {
    this.#stream.on("data", (chunk) => reader.data(chunk as Uint8Array));
    this.#stream.on("end", () => {
      this.#bodyComplete = true;
      reader.end(this.#trailers);
    });
  }

  pauseBody(): void {
    this.#stream.pause();
  }

  resumeBody(): void {
    this.#stream.resume();
  }

  inform({ status, headers }: ResponseHead): void {
    if (this.#gone || this.#stream.headersSent) return;
    try {
      this.#stream.additionalHeaders({ ...record(headers), ":status": status });
    } catch {
      // A hint that HTTP/2 has no form for is one that can be left out.
    }
  }

  begin({ status, headers, body }: AnswerStart): void {
    if (this.#gone) return;
    const trailers = body === "chunked";
    const fields: ReturnType<typeof record> = record(headers);
    fields[":status"] = String(status);
    // These have no body, and one that is announced all the same is an error to the visitor.
    if (status === 204 || status === 205) delete fields["content-length"];
    try {
      this.#stream.respond(fields, { endStream: body === "none", waitForTrailers: trailers });
    } catch (cause) {
      // A status of 999 or two values of a field that has one: the library throws, and the guest chose.
      if (this.#gone) return;
      throw new SyntaxError("its head cannot be said in HTTP/2", { cause });
    }
    if (!trailers) return;
    this.#stream.on("wantTrailers", () => {
      try {
        this.#stream.sendTrailers(record(this.#sentTrailers));
      } catch {
        // Breaking off from within this event leaves the stream open for ever.
        this.#stream.sendTrailers({});
      }
    });
  }

  write(chunk: Uint8Array): boolean {
    return this.#stream.writable ? this.#stream.write(chunk) : true;
  }

  end(trailers: Headers): void {
    this.#ended = true;
    this.#sentTrailers = trailers;
    if (this.#stream.writable) this.#stream.end();
    // The server answered without reading the rest of the upload: the visitor need not send it.
    if (!this.#bodyComplete && this.request.body !== "none") this.#stream.resume();
  }

  abort(): void {
    this.#ended = true;
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  switchProtocols(): { socket: Socket; rest: Buffer } | undefined {
    return undefined;
  }
}

/** As node:http2 takes headers: one property for each name. What is said twice alike is said once. */
function record(headers: Headers): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = Object.create(null);
  for (const { key, value } of headers) {
    const before = fields[key];
    if (before === undefined) fields[key] = value;
    else if (Array.isArray(before)) before.push(value);
    else if (before !== value) fields[key] = [before, value];
  }
  return fields;
}

function trailersOf(given: object): Headers {
  const trailers: Headers = [];
  for (const [name, value] of Object.entries(given)) {
    for (const text of [value].flat()) {
      if (isName(name) && isValue(String(text))) trailers.push(field(name, String(text)));
    }
  }
  return trailers;
}

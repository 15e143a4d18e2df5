import { type Headers, parseFields } from "./header_fields.ts";

const MAX_SIZE_LINE = 256;
const MAX_TRAILER_BYTES = 16 * 1024;
const SIZE_LINE = /^([0-9a-f]{1,12})[ \t]*(;[\t\x20-\x7e\x80-\xff]*)?$/i;
const CR = 13;
const LF = 10;

/**
 * Takes a chunked body apart. What one server would read and another would not (bare line feeds,
 * sizes in other notations) is an error, not a guess.
 */
export class ChunkedDecoder {
  /** Once the body is complete: its trailers. */
  trailers: Headers | undefined;
  readonly #onData: (chunk: Uint8Array) => void;
  #state: "size" | "data" | "data end" | "trailers" | "done" = "size";
  #left = 0;
  #line = "";

  constructor(onData: (chunk: Uint8Array) => void) {
    this.#onData = onData;
  }

  get done(): boolean {
    return this.#state === "done";
  }

  /** How many of the bytes belong to the body; throws a SyntaxError for what is not chunked. */
  push(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") {
        const take = Math.min(this.#left, bytes.length - at);
        this.#onData(bytes.subarray(at, at + take));
        at += take;
        this.#left -= take;
        if (this.#left === 0) this.#state = "data end";
        continue;
      }
      at = this.#readLine(bytes, at);
    }
    return at;
  }

  /** Adds to the current line, and acts on it when it is complete. */
  #readLine(bytes: Buffer, from: number): number {
    const limit = this.#state === "trailers" ? MAX_TRAILER_BYTES : MAX_SIZE_LINE;
    const feed = bytes.indexOf(LF, from);
    const end = feed < 0 ? bytes.length : feed + 1;
    if (this.#line.length + end - from > limit) throw malformed();
    this.#line += bytes.toString("latin1", from, end);
    if (feed < 0) return end;
    if (this.#line.length < 2 || this.#line.charCodeAt(this.#line.length - 2) !== CR) {
      throw malformed();
    }
    if (this.#state === "trailers") {
      if (this.#line === "\r\n" || this.#line.endsWith("\r\n\r\n")) this.#finish();
      return end;
    }
    const line = this.#line.slice(0, -2);
    this.#line = "";
    if (this.#state === "data end") {
      if (line !== "") throw malformed();
      this.#state = "size";
      return end;
    }
    const [, size] = SIZE_LINE.exec(line) ?? [];
    if (size === undefined) throw malformed();
    this.#left = parseInt(size, 16);
    this.#state = this.#left === 0 ? "trailers" : "data";
    return end;
  }

  #finish(): void {
    const lines = this.#line === "\r\n" ? [] : this.#line.slice(0, -4).split("\r\n");
    this.#line = "";
    const trailers = parseFields(lines, 0);
    if (!trailers) throw malformed();
    this.trailers = trailers;
    this.#state = "done";
  }
}

function malformed(): SyntaxError {
  return new SyntaxError("The chunked body is malformed");
}

import * as z from "zod/mini";
import { PaddockError } from "./paddock_error.ts";

const name = z.string().check(z.maxLength(4096));
const mode = z.int().check(z.gte(0), z.lte(0o7777));

const entrySchema = z.discriminatedUnion("type", [
  /** What follows is in it, until `up`. */
  z.strictObject({ type: z.literal("directory"), name, mode }),
  z.strictObject({ type: z.literal("up") }),
  /** Followed by its content, which is no longer than `size`. */
  z.strictObject({ type: z.literal("file"), name, mode, size: z.int().check(z.gte(0)) }),
  z.strictObject({ type: z.literal("link"), name, target: z.string().check(z.maxLength(8192)) }),
  /** A socket, pipe or device: nothing that can be copied. */
  z.strictObject({ type: z.literal("other"), name }),
]);

/**
 * One step of a walk through a tree of files, depth first. A name is that of one entry in the directory
 * the walk is in; the first entry is the root, which has the name "".
 */
export type TreeEntry = z.infer<typeof entrySchema>;

const LENGTH_BYTES = 4;
const MAX_ENTRY_BYTES = 64 * 1024;
/** Where less room is left, content goes through a buffer of its own. */
const LEAST_ROOM_BYTES = 512;
/** So many at once: each is some work for the reader, which has other things to do as well. */
const MAX_ENTRIES = 64;
/** A reader holds each directory open that it is in: as deep as paths are long would be too many. */
const MAX_DEPTH = 1_000;
const NOTHING = new Uint8Array(0);

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** What a tree is written from. */
export interface TreeSource {
  /** The next step; undefined when the walk is over. */
  next(): TreeEntry | undefined | Promise<TreeEntry | undefined>;
  /** Reads content of the file that `next` gave last; 0 at its end, or when `size` bytes were read. */
  read(into: Uint8Array): number | Promise<number>;
}

/**
 * Writes a tree as bytes: of each entry the length (u32, big-endian) and JSON, of each file then its content
 * in pieces, each with its length before it, and a length of 0 after the last.
 */
export class TreeEncoder {
  readonly #source: TreeSource;
  #pending: Uint8Array = NOTHING;
  #inFile = false;

  constructor(source: TreeSource) {
    this.#source = source;
  }

  /** Writes as much as there is room for; 0 when the tree is over. */
  async fill(view: Uint8Array): Promise<number> {
    let at = 0;
    let entries = 0;
    while (at < view.length && entries <= MAX_ENTRIES) {
      if (this.#pending.length > 0) {
        const part = this.#pending.subarray(0, view.length - at);
        view.set(part, at);
        at += part.length;
        this.#pending = this.#pending.subarray(part.length);
      } else if (this.#inFile) {
        at += await this.#content(view.subarray(at));
      } else {
        const entry = await this.#source.next();
        if (!entry) break;
        entries++;
        this.#inFile = entry.type === "file";
        const json = encoder.encode(JSON.stringify(entry));
        this.#pending = new Uint8Array(LENGTH_BYTES + json.length);
        writeLength(this.#pending, json.length);
        this.#pending.set(json, LENGTH_BYTES);
      }
    }
    return at;
  }

  async #content(view: Uint8Array): Promise<number> {
    const direct = view.length >= LEAST_ROOM_BYTES;
    const into = direct ? view : new Uint8Array(LEAST_ROOM_BYTES);
    const read = await this.#source.read(into.subarray(LENGTH_BYTES));
    writeLength(into, read);
    if (read === 0) this.#inFile = false;
    if (direct) return LENGTH_BYTES + read;
    this.#pending = into.subarray(0, LENGTH_BYTES + read);
    return 0;
  }
}

export interface TreeHandler {
  entry(entry: TreeEntry): void;
  /** A part of the content of the last file; its memory is the caller's again afterwards. */
  content(bytes: Uint8Array): void;
  /** The content of the last file is complete. */
  fileEnd(): void;
}

/** Reads what `TreeEncoder` wrote, however it was cut. The writer is not trusted. */
export class TreeDecoder {
  readonly #handler: TreeHandler;
  #state: "length" | "entry" | "pieceLength" | "piece" = "length";
  #held = new Uint8Array(LENGTH_BYTES);
  #heldBytes = 0;
  #pieceLeft = 0;
  #fileLeft = 0;
  #depth = 0;
  #begun = false;

  constructor(handler: TreeHandler) {
    this.#handler = handler;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#state === "piece") {
        const part = chunk.subarray(at, at + this.#pieceLeft);
        at += part.length;
        this.#pieceLeft -= part.length;
        if (this.#pieceLeft === 0) this.#expect("pieceLength", LENGTH_BYTES);
        this.#handler.content(part);
        continue;
      }
      const part = chunk.subarray(at, at + this.#held.length - this.#heldBytes);
      this.#held.set(part, this.#heldBytes);
      this.#heldBytes += part.length;
      at += part.length;
      if (this.#heldBytes === this.#held.length) this.#complete();
    }
  }

  /** No more will come. */
  end(): void {
    const whole = this.#state === "length" && this.#heldBytes === 0;
    if (!whole || this.#depth > 0 || !this.#begun) throw malformed("it ends too early");
  }

  #expect(state: "length" | "entry" | "pieceLength", bytes: number): void {
    this.#state = state;
    this.#held = new Uint8Array(bytes);
    this.#heldBytes = 0;
  }

  #complete(): void {
    if (this.#state === "entry") return this.#entry();
    const length = new DataView(this.#held.buffer).getUint32(0);
    if (this.#state === "length") {
      if (length === 0 || length > MAX_ENTRY_BYTES) throw malformed(`an entry of ${length} bytes`);
      return this.#expect("entry", length);
    }
    if (length === 0) {
      this.#expect("length", LENGTH_BYTES);
      return this.#handler.fileEnd();
    }
    this.#fileLeft -= length;
    if (this.#fileLeft < 0) throw malformed("a file is longer than was said");
    this.#state = "piece";
    this.#pieceLeft = length;
  }

  #entry(): void {
    const entry = parseEntry(this.#held);
    if (entry.type !== "up" && (entry.name === "") === this.#begun) {
      throw malformed(this.#begun ? "an entry without a name" : "its root has a name");
    }
    if (this.#depth === 0 && (this.#begun || entry.type === "up")) {
      throw malformed("there is something beside its root");
    }
    this.#begun = true;
    if (entry.type === "directory" && ++this.#depth > MAX_DEPTH) {
      throw malformed(`more than ${MAX_DEPTH} directories are in each other`);
    }
    if (entry.type === "up") this.#depth--;
    if (entry.type === "file") {
      this.#fileLeft = entry.size;
      this.#expect("pieceLength", LENGTH_BYTES);
    } else this.#expect("length", LENGTH_BYTES);
    this.#handler.entry(entry);
  }
}

function parseEntry(bytes: Uint8Array): TreeEntry {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    throw malformed("an entry is no JSON");
  }
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) throw malformed("an entry has other properties than it should");
  return parsed.data;
}

/** One name of one entry, and no way to another directory. */
export function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
}

function writeLength(bytes: Uint8Array, length: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, length);
}

function malformed(reason: string): PaddockError {
  return new PaddockError("INVALID_TREE", {
    message: `The stream of files is malformed: ${reason}.`,
  });
}

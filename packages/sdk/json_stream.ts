/** The objects of a stream of JSON objects, however it is cut into chunks and with nothing between them. */
export async function* parseJsonObjects<T>(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<T, undefined> {
  const splitter = new JsonSplitter();
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const text of splitter.push(decoder.decode(value, { stream: true }))) {
        yield JSON.parse(text) as T;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Finds where each object ends by counting braces outside of strings. */
export class JsonSplitter {
  #text = "";
  #at = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  push(chunk: string): string[] {
    this.#text += chunk;
    const objects: string[] = [];
    let start = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at];
      if (this.#escaped) this.#escaped = false;
      else if (this.#inString) {
        if (char === "\\") this.#escaped = true;
        else if (char === '"') this.#inString = false;
      } else if (char === '"') this.#inString = true;
      else if (char === "{") this.#depth++;
      else if (char === "}" && --this.#depth === 0) {
        objects.push(this.#text.slice(start, this.#at + 1).trim());
        start = this.#at + 1;
      }
    }
    this.#text = this.#text.slice(start);
    this.#at = this.#text.length;
    return objects;
  }
}

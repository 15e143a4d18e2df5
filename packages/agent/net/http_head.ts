const MAX_HEAD_BYTES = 16 * 1024;

export interface RequestHead {
  method: string;
  url: URL;
  headers: Map<string, string>;
  /** What was read behind the head. */
  rest: Uint8Array;
}

/** The head of an HTTP/1.1 request, or undefined when there is none or it is not one. */
export async function readRequestHead(
  conn: Pick<Deno.Conn, "read">,
): Promise<RequestHead | undefined> {
  const buffer = new Uint8Array(MAX_HEAD_BYTES);
  let filled = 0;
  while (true) {
    if (filled === buffer.length) return undefined;
    const read = await conn.read(buffer.subarray(filled));
    if (read === null) return undefined;
    const from = Math.max(0, filled - 3);
    filled += read;
    const end = endOfHead(buffer, from, filled);
    if (end === -1) continue;
    return parseHead(
      new TextDecoder("latin1").decode(buffer.subarray(0, end)),
      buffer.slice(end + 4, filled),
    );
  }
}

/** A body of the length that its head names, or undefined when it is longer than allowed or cut off. */
export async function readBody(
  conn: Pick<Deno.Conn, "read">,
  { headers, rest }: RequestHead,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const length = Number(headers.get("content-length"));
  if (!Number.isInteger(length) || length < 1 || length > maxBytes) return undefined;
  const body = new Uint8Array(length);
  body.set(rest.subarray(0, length));
  for (let filled = Math.min(rest.length, length); filled < length;) {
    const read = await conn.read(body.subarray(filled));
    if (read === null) return undefined;
    filled += read;
  }
  return body;
}

function endOfHead(bytes: Uint8Array, from: number, to: number): number {
  for (let at = bytes.indexOf(13, from); at !== -1 && at + 3 < to; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at;
  }
  return -1;
}

function parseHead(text: string, rest: Uint8Array): RequestHead | undefined {
  const [line, ...fields] = text.split("\r\n");
  const [, method, target] = line.match(/^([A-Z]+) (\/\S*) HTTP\/1\.1$/) ?? [];
  if (!method) return undefined;
  const headers = new Map<string, string>();
  for (const field of fields) {
    const [, name, value] = field.match(/^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/) ?? [];
    if (name === undefined) return undefined;
    const key = name.toLowerCase();
    const before = headers.get(key);
    headers.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  const url = URL.parse(`http://agent${target}`);
  return url ? { method, url, headers, rest } : undefined;
}

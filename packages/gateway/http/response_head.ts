import { type Headers, listOf, parseFields, single } from "./header_fields.ts";

/** `none`: it ends with its head. `close`: it ends with the connection. */
export type ResponseBody = "none" | "chunked" | "close" | { length: number };

export interface ResponseHead {
  status: number;
  reason: string;
  headers: Headers;
  body: ResponseBody;
  /** The connection can carry another request after it. */
  keepAlive: boolean;
}

const LENGTH = /^\d{1,15}$/;

/**
 * Reads the head that a sandbox's server answered with; undefined when it is not HTTP/1.x, or leaves
 * open where its body ends.
 */
export function parseResponseHead(text: string, method: string): ResponseHead | undefined {
  const lines = text.split("\r\n");
  const [, minor, digits, reason = ""] =
    lines[0].match(/^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/) ?? [];
  if (digits === undefined) return undefined;
  const headers = parseFields(lines, 1);
  if (!headers) return undefined;
  const status = Number(digits);
  const body = bodyOf(headers, status, method);
  if (body === undefined) return undefined;
  const connection = listOf(headers, "connection");
  const keepAlive = minor === "1" ? !connection.includes("close") : false;
  return { status, reason, headers, body, keepAlive: keepAlive && body !== "close" };
}

function bodyOf(headers: Headers, status: number, method: string): ResponseBody | undefined {
  const length = single(headers, "content-length");
  const encoding = single(headers, "transfer-encoding");
  if (length === null || encoding === null || length !== undefined && encoding !== undefined) {
    return undefined;
  }
  if (length !== undefined && !LENGTH.test(length)) return undefined;
  if (encoding !== undefined && encoding.toLowerCase() !== "chunked") return undefined;
  if (status < 200 || status === 204 || status === 304 || method === "HEAD") return "none";
  if (encoding !== undefined) return "chunked";
  return length === undefined ? "close" : { length: Number(length) };
}

import { PaddockError } from "@paddock/protocol";
import { type Headers, listOf, parseFields, single } from "./header_fields.ts";

export type Body = "none" | "chunked" | { length: number };

export interface RequestHead {
  method: string;
  /** Path and query, or `*`. */
  target: string;
  version: "1.0" | "1.1";
  headers: Headers;
  /** As the visitor sent it. */
  host: string;
  body: Body;
  /** What it asks to switch to. */
  upgrade: string | undefined;
  /** The visitor wants the connection to end with the answer. */
  close: boolean;
}

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Z]{1,32}$/;
const HOST = /^[a-z0-9.\-_]{1,253}(?::\d{1,5})?$|^\[[0-9a-f:.]{2,45}\](?::\d{1,5})?$/i;
const LENGTH = /^\d{1,15}$/;

/**
 * Reads the head of an HTTP/1.x request, without the empty line at its end. Throws for whatever
 * another server could understand differently: nothing that is ambiguous goes on to a sandbox.
 */
export function parseRequestHead(text: string): RequestHead {
  const lines = text.split("\r\n");
  const [, method, rawTarget, version] = lines[0].match(
    /^([^ ]+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/,
  ) ?? [];
  if (version === undefined) throw refusal("This is no HTTP/1.1 request.");
  if (!METHOD.test(method)) throw refusal("The method is malformed.");
  const headers = parseFields(lines, 1);
  if (!headers) throw refusal("A header is malformed.");
  const host = single(headers, "host");
  if (host === null || host === undefined || !HOST.test(host)) {
    throw refusal("The request must name one host, once.");
  }
  const target = originForm(method, rawTarget, host);
  const connection = listOf(headers, "connection");
  const http11 = version === "1";
  const upgrades = connection.includes("upgrade") && http11;
  const upgrade = upgrades ? single(headers, "upgrade") : undefined;
  if (upgrade === null) throw refusal("Upgrade is given twice.");
  return {
    method,
    target,
    version: http11 ? "1.1" : "1.0",
    headers,
    host,
    body: bodyOf(headers, http11),
    // HTTP/2 without TLS would hide further requests from whoever looks at them on the way.
    upgrade: upgrade === "" || /\bh2c\b/i.test(upgrade ?? "") ? undefined : upgrade,
    close: connection.includes("close") || !http11 && !connection.includes("keep-alive"),
  };
}

/** How the body of a request is delimited, if there is exactly one way to see it. */
function bodyOf(headers: Headers, http11: boolean): Body {
  const length = single(headers, "content-length");
  const encoding = single(headers, "transfer-encoding");
  if (length === null) throw refusal("Content-Length is given twice.");
  if (encoding === null) throw refusal("Transfer-Encoding is given twice.");
  if (encoding !== undefined) {
    if (length !== undefined) {
      throw refusal("Content-Length and Transfer-Encoding exclude another.");
    }
    if (!http11 || encoding.toLowerCase() !== "chunked") {
      throw refusal("The only transfer encoding is chunked.");
    }
    return "chunked";
  }
  if (length === undefined) return "none";
  if (!LENGTH.test(length)) throw refusal("Content-Length is not a number.");
  return length === "0" ? { length: 0 } : { length: Number(length) };
}

function originForm(method: string, target: string, host: string): string {
  if (method === "CONNECT" || method === "TRACE") {
    throw new PaddockError("METHOD_NOT_ALLOWED", { message: `${method} is not served here.` });
  }
  if (target.startsWith("/")) return target;
  if (target === "*" && method === "OPTIONS") return target;
  const [, authority, path] = target.match(/^https?:\/\/([^/?#]*)(.*)$/i) ?? [];
  if (authority === undefined) throw refusal("The request's target is malformed.");
  if (authority.toLowerCase() !== host.toLowerCase()) {
    throw refusal("The request's target and its Host name different hosts.");
  }
  return path.startsWith("/") ? path : `/${path}`;
}

function refusal(message: string): PaddockError {
  return new PaddockError("INVALID_REQUEST", { message });
}

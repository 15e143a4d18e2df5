import { field, type Headers, listOf, writeFields } from "./header_fields.ts";
import type { VisitRequest } from "./visit.ts";

/** Those that concern one connection, not the request; and those that `Connection` names. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What `Connection` cannot take away: their absence would change what the request means. */
const PROTECTED: ReadonlySet<string> = new Set([
  "content-length",
  "host",
  "cookie",
  "authorization",
]);

/** Said by the gateway alone; a visitor's own would be believed. */
function isForwarding(key: string): boolean {
  return key.startsWith("x-forwarded-") || key === "forwarded" || key === "x-real-ip";
}

/** Fields that have no place in a trailer: they would change the meaning of what is already sent. */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  "authorization",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "host",
  "set-cookie",
  "x-paddock-access",
]);

export function endToEnd(headers: Headers): Headers {
  const named = listOf(headers, "connection");
  return headers.filter(({ key }) =>
    !HOP_BY_HOP.has(key) && (named.length === 0 || !named.includes(key) || PROTECTED.has(key))
  );
}

export function endToEndTrailers(trailers: Headers): Headers {
  return trailers.filter(({ key }) => !NOT_IN_TRAILERS.has(key) && !isForwarding(key));
}

/** The head of the request as the server in the sandbox gets it. */
export function forwardedHead(request: VisitRequest): string {
  const { method, target, host, headers, body, upgrade, remoteAddress } = request;
  const [, port = "443"] = host.match(/:(\d+)$/) ?? [];
  let head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n`;
  head += writeFields(
    endToEnd(headers).filter(({ key }) =>
      key !== "host" && key !== "content-length" && !isForwarding(key)
    ),
  );
  if (listOf(headers, "te").includes("trailers")) head += "TE: trailers\r\n";
  head += writeFields([
    field("X-Forwarded-For", remoteAddress),
    field("X-Forwarded-Host", host),
    field("X-Forwarded-Port", port),
    field("X-Forwarded-Proto", "https"),
  ]);
  if (body === "chunked") head += "Transfer-Encoding: chunked\r\n";
  else if (typeof body === "object") head += `Content-Length: ${body.length}\r\n`;
  if (upgrade !== undefined) head += `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  else if (listOf(headers, "te").includes("trailers")) head += "Connection: TE\r\n";
  return `${head}\r\n`;
}

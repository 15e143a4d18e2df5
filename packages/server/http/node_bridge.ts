import type { IncomingMessage, ServerResponse } from "node:http";
import { PaddockError } from "@paddock/protocol";

/** A request as the router takes it; its body is read by who wants it, after the caller is known. */
export interface BridgedRequest {
  request: Request;
  body: () => Promise<Uint8Array>;
}

export interface BridgeLimits {
  requestBodyBytes: number;
  /** How long a client may take to read its answer. */
  answerMs: number;
}

/** How long a client whose body was not wanted may go on sending before it is cut off. */
const UNREAD_LINGER_MS = 1_000;

/** Hands a node:http request to a web-standard handler, and its answer back. */
export async function bridge(
  message: IncomingMessage,
  response: ServerResponse,
  limits: BridgeLimits,
  handler: (bridged: BridgedRequest) => Promise<Response>,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort(new PaddockError("ABORTED")));
  // What the web's Request refuses to carry: to no address of ours does it mean anything.
  if (message.method === "TRACE" || message.method === "TRACK") {
    throw new PaddockError("METHOD_NOT_ALLOWED");
  }
  const request = new Request(urlOf(message), {
    method: message.method,
    headers: headersOf(message),
    signal: gone.signal,
  });
  let body: Promise<Uint8Array> | undefined;
  const answer = await handler({
    request,
    body: () => body ??= readBody(message, limits.requestBodyBytes),
  });
  if (response.destroyed) return;
  const bytes = new Uint8Array(await answer.arrayBuffer());
  respond(message, response, limits, answer.status, Object.fromEntries(answer.headers), bytes);
}

/** Also for errors before there is a request to hand on. */
export function respond(
  message: IncomingMessage,
  response: ServerResponse,
  limits: BridgeLimits,
  status: number,
  headers: Record<string, string>,
  bytes: Uint8Array,
): void {
  // The rest of a body that nobody wanted would be taken for the next request.
  const unread = declaresBody(message) && !message.complete;
  if (unread) {
    headers = { ...headers, connection: "close" };
    message.on("error", () => {});
    message.resume();
  }
  response.writeHead(status, { ...headers, "content-length": String(bytes.length) });
  response.end(message.method === "HEAD" ? undefined : bytes);
  const timer = setTimeout(
    () => message.socket.destroy(),
    unread ? UNREAD_LINGER_MS : limits.answerMs,
  );
  response.on("close", () => clearTimeout(timer));
}

function declaresBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

function urlOf(message: IncomingMessage): string {
  const target = message.url ?? "/";
  // Only path and query are ours to route by; the host a client names has no say in it.
  const url = URL.parse(target.startsWith("/") ? `http://paddock${target}` : target);
  if (!url) {
    throw new PaddockError("INVALID_REQUEST", { message: "The request target is no path." });
  }
  return `http://paddock${url.pathname}${url.search}`;
}

function headersOf(message: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one);
  }
  return headers;
}

/** The deadline is the server's `requestTimeout`, which covers head and body together. */
function readBody(message: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const chunks: Uint8Array[] = [];
  let total = 0;
  const take = (chunk: Uint8Array) => {
    total += chunk.length;
    if (total <= maxBytes) return void chunks.push(chunk);
    message.removeListener("data", take);
    reject(tooLarge(maxBytes));
  };
  if (Number(message.headers["content-length"] ?? 0) > maxBytes) reject(tooLarge(maxBytes));
  else message.on("data", take);
  message.on("end", () => resolve(Buffer.concat(chunks)));
  message.on("error", (cause) => reject(new PaddockError("ABORTED", { cause })));
  message.on("close", () => reject(new PaddockError("ABORTED")));
  return promise;
}

function tooLarge(maxBytes: number): PaddockError {
  return new PaddockError("BODY_TOO_LARGE", {
    message: `A request body may hold ${maxBytes} bytes (limits.requestBodyBytes).`,
    details: { limit: "requestBodyBytes", max: maxBytes },
  });
}

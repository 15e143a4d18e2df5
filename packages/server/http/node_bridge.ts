import type { IncomingMessage, ServerResponse } from "node:http";
import { PaddockError } from "@paddock/protocol";

export type FetchHandler = (request: Request) => Promise<Response> | Response;

/** Hands a node:http request to a web-standard handler: body read whole, and bounded, before. */
export async function bridge(
  message: IncomingMessage,
  response: ServerResponse,
  handler: FetchHandler,
  maxBodyBytes: number,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort(new PaddockError("ABORTED")));
  const request = new Request(urlOf(message), {
    method: message.method,
    headers: headersOf(message),
    body: hasBody(message) ? await readBody(message, maxBodyBytes) : undefined,
    signal: gone.signal,
  });
  const answer = await handler(request);
  if (response.destroyed) return;
  const body = new Uint8Array(await answer.arrayBuffer());
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(message.method === "HEAD" ? undefined : body);
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

function hasBody(message: IncomingMessage): boolean {
  return message.method !== "GET" && message.method !== "HEAD";
}

/** The deadline is the server's `requestTimeout`, which covers head and body together. */
function readBody(message: IncomingMessage, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
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
  message.on("end", () => resolve(new Uint8Array(Buffer.concat(chunks))));
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

import { abortableStream } from "./abortable_stream.ts";
import type { Link } from "./link.ts";

/** What a request may have as body. Streams are sent as they are read. */
export type RequestBody =
  | string
  | Uint8Array<ArrayBuffer>
  | ArrayBuffer
  | Blob
  | FormData
  | URLSearchParams
  | ReadableStream<Uint8Array<ArrayBuffer>>;

/** Options for `sandbox.fetch` and `process.fetch`. */
export interface RequestInit {
  /** Default: `"GET"`. */
  method?: string;
  headers?: Headers | [string, string][] | Record<string, string>;
  /** Not with GET and HEAD. */
  body?: RequestBody | null;
  /** `"error"` rejects when there is a redirect. Default: `"follow"`. */
  redirect?: "follow" | "manual" | "error";
  signal?: AbortSignal | null;
}

/** Has the sandbox make a request: to its network, or to the server of one of its processes. */
export async function fetchInSandbox(
  link: Link,
  url: string | URL,
  init: RequestInit = {},
  pid?: number,
): Promise<Response> {
  const signal = init.signal ?? undefined;
  const request = new Request(url, {
    method: init.method,
    headers: init.headers,
    body: init.body,
    redirect: init.redirect,
    // Node demands this for streams and the others do not know it.
    ...(init.body instanceof ReadableStream && { duplex: "half" }),
  } as globalThis.RequestInit);
  // Bun leaves it out.
  if (typeof init.body === "string" && !request.headers.has("content-type")) {
    request.headers.set("content-type", "text/plain;charset=UTF-8");
  }
  const connection = await link.connection(signal);
  const answer = await connection.call("fetch", {
    url: request.url,
    method: request.method,
    headers: [...request.headers],
    redirect: (init.redirect ?? "follow") === "follow" ? "follow" : "manual",
    bodyStreamId: request.body ? connection.sendStream(request.body) : undefined,
    pid,
  }, { signal });
  const body = answer.bodyStreamId === null ? null : connection.receiveStream(answer.bodyStreamId);
  if (init.redirect === "error" && isRedirect(answer)) {
    body?.cancel().catch(() => {});
    throw new TypeError(`${request.url} redirects, which "redirect: error" does not allow`);
  }
  const hasBody = ![101, 103, 204, 205, 304].includes(answer.status);
  if (!hasBody) body?.cancel().catch(() => {});
  return new Response(hasBody ? body && abortableStream(body, signal) : null, {
    status: answer.status,
    statusText: answer.statusText,
    headers: answer.headers,
  });
}

function isRedirect({ status, headers }: { status: number; headers: [string, string][] }): boolean {
  return [301, 302, 303, 307, 308].includes(status) &&
    headers.some(([name]) => name === "location");
}

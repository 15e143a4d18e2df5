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
  /** Default: `"follow"`. */
  redirect?: "follow" | "manual";
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
  const connection = await link.connection(signal);
  const answer = await connection.call("fetch", {
    url: request.url,
    method: request.method,
    headers: [...request.headers],
    redirect: init.redirect === "manual" ? "manual" : "follow",
    bodyStreamId: request.body ? connection.sendStream(request.body) : undefined,
    pid,
  }, { signal });
  const body = answer.bodyStreamId === null ? null : connection.receiveStream(answer.bodyStreamId);
  const hasBody = ![101, 103, 204, 205, 304].includes(answer.status);
  if (!hasBody) body?.cancel().catch(() => {});
  return new Response(hasBody ? body && abortableStream(body, signal) : null, {
    status: answer.status,
    statusText: answer.statusText,
    headers: answer.headers,
  });
}

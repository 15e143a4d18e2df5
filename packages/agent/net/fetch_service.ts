import type { MethodInput } from "@paddock/protocol";

const MAX_REDIRECTS = 20;

let localClient: Deno.HttpClient | undefined;

/** Lets requests name the host they were meant for while they go to another. */
function clientForAnyHost(): Deno.HttpClient {
  return localClient ??= Deno.createHttpClient({ allowHost: true });
}

const BODILESS = new Set([101, 103, 204, 205, 304]);

export interface FetchResult {
  status: number;
  statusText: string;
  headers: [string, string][];
  body: ReadableStream<Uint8Array> | null;
}

/**
 * Sends a request from inside the sandbox; with a port, to the server there whatever host the URL
 * names, which the server still sees.
 */
export async function fetchInGuest(
  request: MethodInput<"fetch">,
  body: ReadableStream<Uint8Array> | undefined,
  port: number | undefined,
  signal: AbortSignal,
): Promise<FetchResult> {
  if (port === undefined) {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers,
      redirect: request.redirect,
      signal,
      ...(body ? { body } : {}),
    });
    return resultOf(response);
  }
  let url = new URL(request.url);
  let { method } = request;
  let outgoing = body;
  const home = url.origin;
  for (let hops = 0;; hops++) {
    const target = new URL(url);
    if (url.origin === home) {
      target.protocol = "http:";
      target.hostname = "127.0.0.1";
      target.port = String(port);
    }
    const headers = new Headers(request.headers);
    if (url.origin === home) headers.set("host", url.host);
    const response = await fetch(target, {
      method,
      headers,
      redirect: "manual",
      signal,
      client: clientForAnyHost(),
      ...(outgoing ? { body: outgoing } : {}),
    });
    const location = response.headers.get("location");
    const redirected = [301, 302, 303, 307, 308].includes(response.status) && location !== null;
    if (!redirected || request.redirect === "manual") return resultOf(response);
    if (hops === MAX_REDIRECTS) throw new TypeError("Fetch failed: Maximum number of redirects");
    const keepsBody = response.status === 307 || response.status === 308;
    if (keepsBody && outgoing) {
      throw new TypeError("Fetch failed: a request with a streamed body was redirected");
    }
    await response.body?.cancel();
    if (!keepsBody && method !== "HEAD") method = "GET";
    outgoing = undefined;
    url = new URL(location, url);
  }
}

function resultOf(response: Response): FetchResult {
  const headers = [...response.headers].filter(([name]) =>
    // The body is decoded already; what describes the encoded one would mislead.
    !(response.headers.has("content-encoding") &&
      (name === "content-encoding" || name === "content-length"))
  ) as [string, string][];
  const { status, statusText } = response;
  const body = BODILESS.has(status) ? null : response.body;
  return { status, statusText, headers, body };
}

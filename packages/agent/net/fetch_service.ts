import type { MethodInput } from "@paddock/protocol";
import type { ListeningAddress } from "./listening.ts";
import { redirected, type Step } from "./redirects.ts";
import { ReplayableBody } from "./replayable_body.ts";

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
 * Sends a request from inside the sandbox; with a server's address, to that server whatever host the
 * URL names, which the server still sees. Redirects are followed here, because a body that came as a
 * stream is sent again by nobody else.
 */
export async function fetchInGuest(
  request: MethodInput<"fetch">,
  input: ReadableStream<Uint8Array> | undefined,
  server: ListeningAddress | undefined,
  signal: AbortSignal,
): Promise<FetchResult> {
  const body = input && new ReplayableBody(input);
  try {
    let step: Step = {
      url: new URL(request.url),
      method: request.method,
      headers: new Headers(request.headers),
      withBody: body !== undefined,
    };
    const home = step.url.origin;
    for (let hops = 0;; hops++) {
      const toServer = server && step.url.origin === home ? server : undefined;
      const response = await send(step, step.withBody ? body : undefined, toServer, signal);
      const next = request.redirect === "follow" ? redirected(step, response) : undefined;
      if (!next) return resultOf(response);
      await response.body?.cancel();
      if (hops === MAX_REDIRECTS) throw new TypeError("Fetch failed: Maximum number of redirects");
      if (!next.withBody) body?.cancel();
      step = next;
    }
  } catch (error) {
    body?.cancel(error);
    throw error;
  }
}

function send(
  { url, method, headers }: Step,
  body: ReplayableBody | undefined,
  server: ListeningAddress | undefined,
  signal: AbortSignal,
): Promise<Response> {
  const init: RequestInit & { client?: Deno.HttpClient } = {
    method,
    headers,
    redirect: "manual",
    signal,
    ...(body ? { body: body.stream() } : {}),
  };
  if (!server) return fetch(url, init);
  const target = new URL(url);
  target.protocol = "http:";
  target.hostname = server.hostname;
  target.port = String(server.port);
  const own = new Headers(headers);
  own.set("host", url.host);
  return fetch(target, { ...init, headers: own, client: clientForAnyHost() });
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

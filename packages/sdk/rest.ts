import { waits } from "./_defaults.ts";
import { withDeadline } from "./deadline.ts";
import { ApiError, InvalidTokenError, NetworkError, type ServerRefusal } from "./errors.ts";

/** A server and who asks. */
export interface Target {
  /** For example `https://paddock.example.com`, no slash at the end. */
  endpoint: string;
  token: string;
  org: string | undefined;
}

export interface RestRequest {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal;
  /** Default: `waits.requestMs`. */
  deadlineMs?: number;
  /** Take the answer's body as it is instead of as JSON. */
  text?: boolean;
}

/** Sends a request to the server and returns the JSON it answers; anything else is thrown. */
export async function restRequest<T>(target: Target, request: RestRequest): Promise<T> {
  return (await restPage<T>(target, request)).body;
}

/** The same, with the query of the next page when there is one. */
export async function restPage<T>(
  target: Target,
  request: RestRequest,
): Promise<{ body: T; next: Record<string, string> | undefined }> {
  const url = new URL(target.endpoint + request.path);
  for (const [key, value] of Object.entries(request.query ?? {})) url.searchParams.set(key, value);
  const deadlineMs = request.deadlineMs ?? waits.requestMs;
  const late = () =>
    new NetworkError(`${request.method} ${url.pathname}: no answer within ${deadlineMs} ms`);
  return await withDeadline(deadlineMs, late, request.signal, async (signal) => {
    let response: Response;
    try {
      response = await fetch(url, {
        method: request.method,
        headers: {
          ...authHeaders(target),
          ...(request.body === undefined ? {} : { "content-type": "application/json" }),
        },
        body: request.body === undefined ? undefined : JSON.stringify(request.body),
        signal,
      });
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw new NetworkError(`cannot reach ${url.origin}: ${reasonOf(cause)}`, { cause });
    }
    const text = await response.text();
    if (!response.ok) {
      const refusal = readRefusal(response.status, text, response.headers.get("x-deno-trace-id"));
      throw refusalError(refusal, (it) => new ApiError(it));
    }
    const next = nextPage(response.headers.get("link"), url);
    if (request.text) return { body: text as T, next };
    if (text === "") return { body: undefined as T, next };
    try {
      return { body: JSON.parse(text) as T, next };
    } catch (cause) {
      throw new NetworkError(`${url.origin} answered something that is not JSON`, { cause });
    }
  });
}

export function authHeaders(target: Target): Record<string, string> {
  return {
    authorization: `Bearer ${target.token}`,
    ...(target.org === undefined ? {} : { "x-deno-org": target.org }),
  };
}

/** Makes the typed error for a refusal: the token's own class, or what `other` makes. */
export function refusalError(refusal: ServerRefusal, other: (refusal: ServerRefusal) => Error) {
  if (refusal.code === "INVALID_TOKEN") {
    return new InvalidTokenError(
      `${refusal.message} (pass \`token\`, or set PADDOCK_TOKEN or DENO_DEPLOY_TOKEN)`,
      refusal.hint,
    );
  }
  return other(refusal);
}

/** Reads the `{ code, message, field?, hint? }` of an answer, whatever a proxy made of it. */
export function readRefusal(status: number, text: string, traceId?: string | null): ServerRefusal {
  let body: Partial<Record<keyof ServerRefusal, unknown>> = {};
  try {
    const parsed = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) body = parsed;
  } catch {
    // A proxy's HTML page, or nothing: the status has to do.
  }
  const word = (value: unknown) => typeof value === "string" && value !== "" ? value : undefined;
  const trace = word(traceId) ?? word(body.traceId);
  return {
    status,
    code: word(body.code) ?? `HTTP_${status}`,
    message: word(body.message) ?? (text.trim().slice(0, 200) || `the server answered ${status}`),
    ...(word(body.field) && { field: word(body.field) }),
    ...(word(body.hint) && { hint: word(body.hint) }),
    ...(trace && { traceId: trace }),
  };
}

/** The innermost message of a failed connection: `fetch failed` alone says nothing. */
export function reasonOf(error: unknown): string {
  const { message, cause, code, errors } = (error ?? {}) as {
    message?: string;
    cause?: unknown;
    code?: string;
    errors?: unknown[];
  };
  if (cause !== undefined && cause !== error) return reasonOf(cause);
  if (errors?.length && !message) return reasonOf(errors[0]);
  return message || code || String(error);
}

/** The query of `Link: <…>; rel="next"`. Where else that link leads does not matter: we stay here. */
function nextPage(link: string | null, base: URL): Record<string, string> | undefined {
  const match = /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(link ?? "");
  return match ? Object.fromEntries(new URL(match[1], base).searchParams) : undefined;
}

/** All items of a listing, page after page. */
export async function restAll<T>(target: Target, path: string): Promise<T[]> {
  const found: T[] = [];
  for (let query: Record<string, string> | undefined = {}; query;) {
    const page: { body: T[]; next: typeof query | undefined } = await restPage(target, {
      method: "GET",
      path,
      query,
    });
    found.push(...page.body);
    query = page.next;
  }
  return found;
}

/** `null` when the server says by this code that there is none. */
export async function restFind<T>(
  target: Target,
  path: string,
  absent: string,
): Promise<T | null> {
  try {
    return await restRequest<T>(target, { method: "GET", path });
  } catch (error) {
    if (error instanceof ApiError && error.code === absent) return null;
    throw error;
  }
}

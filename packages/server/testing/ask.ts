import type { StandInServer } from "./serve_stand_in.ts";

/** A request with a JSON body, and the answer's. */
export async function ask(
  server: StandInServer,
  method: string,
  path: string,
  body?: unknown,
  token?: string,
) {
  const response = await server.fetch(path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(token === undefined ? {} : { token }),
  });
  // deno-lint-ignore no-explicit-any
  return { status: response.status, headers: response.headers, body: await response.json() as any };
}

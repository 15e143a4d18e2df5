import { readFile } from "node:fs/promises";

/** `fetch` of a visitor who trusts the authority in the PEM file, and shares no connection. */
export async function visit(url: string, ca: string, init: RequestInit = {}): Promise<Response> {
  using client = Deno.createHttpClient({ caCerts: [await readFile(ca, "utf8")] });
  const response = await fetch(url, { signal: AbortSignal.timeout(60_000), ...init, client });
  // Whole before the client goes, which takes its connections along.
  const body = await response.arrayBuffer();
  const empty = response.status === 204 || response.status === 304;
  return new Response(empty ? null : body, response);
}

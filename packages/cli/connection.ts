import { resolveTarget } from "@paddock/sandbox/endpoint";
import { restRequest } from "@paddock/sandbox/rest";
import type { ConnectionOptions } from "./commands/options.ts";

/** The options the client library takes; what is absent it finds in the environment, or locally. */
export function clientOptions({ endpoint, token }: ConnectionOptions): ConnectionOptions {
  return { ...endpoint && { endpoint }, ...token && { token } };
}

/** As long as the client library waits for forks. */
const POST_MS = 300_000;

export interface Api {
  text(path: string): Promise<string>;
  get<T>(path: string): Promise<T>;
  patch<T>(path: string, body: unknown): Promise<T>;
  /** What is made by it may take long. */
  post<T>(path: string, body: unknown): Promise<T>;
  delete(path: string): Promise<void>;
}

/** Plain requests to the server that the client library would talk to. */
export async function openApi(options: ConnectionOptions): Promise<Api> {
  const target = await resolveTarget(clientOptions(options), undefined);
  return {
    text: (path) => restRequest(target, { method: "GET", path, text: true }),
    get: (path) => restRequest(target, { method: "GET", path }),
    patch: (path, body) => restRequest(target, { method: "PATCH", path, body }),
    post: (path, body) => restRequest(target, { method: "POST", path, body, deadlineMs: POST_MS }),
    delete: (path) => restRequest(target, { method: "DELETE", path }),
  };
}

export function sandboxPath(id: string): string {
  return `/api/v3/sandbox/${encodeURIComponent(id)}`;
}

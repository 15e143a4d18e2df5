import { resolveTarget } from "@paddock/sandbox/endpoint";
import { restRequest } from "@paddock/sandbox/rest";
import type { ConnectionOptions } from "./commands/options.ts";

/** The options the client library takes; what is absent it finds in the environment, or locally. */
export function clientOptions({ endpoint, token }: ConnectionOptions): ConnectionOptions {
  return { ...endpoint && { endpoint }, ...token && { token } };
}

export interface Api {
  text(path: string): Promise<string>;
  patch<T>(path: string, body: unknown): Promise<T>;
  delete(path: string): Promise<void>;
}

/** Plain requests to the server that the client library would talk to. */
export async function openApi(options: ConnectionOptions): Promise<Api> {
  const target = await resolveTarget(clientOptions(options), undefined);
  return {
    text: (path) => restRequest(target, { method: "GET", path, text: true }),
    patch: (path, body) => restRequest(target, { method: "PATCH", path, body }),
    delete: (path) => restRequest(target, { method: "DELETE", path }),
  };
}

export function sandboxPath(id: string): string {
  return `/api/v3/sandbox/${encodeURIComponent(id)}`;
}

import { resolveTarget, restRequest } from "@paddock/sandbox";
import type { ConnectionOptions } from "./commands/options.ts";

/** The options the client library takes; what is absent it finds in the environment, or locally. */
export function clientOptions({ endpoint, token }: ConnectionOptions): ConnectionOptions {
  return { ...endpoint && { endpoint }, ...token && { token } };
}

export interface Api {
  get<T>(path: string, query?: Record<string, string>): Promise<T>;
  patch<T>(path: string, body: unknown): Promise<T>;
  delete(path: string): Promise<void>;
}

/** Plain requests to the server that the client library would talk to. */
export async function openApi(options: ConnectionOptions): Promise<Api> {
  const target = await resolveTarget(clientOptions(options), undefined);
  return {
    get: (path, query) => restRequest(target, { method: "GET", path, query }),
    patch: (path, body) => restRequest(target, { method: "PATCH", path, body }),
    delete: (path) => restRequest(target, { method: "DELETE", path }),
  };
}

export function sandboxPath(id: string): string {
  return `/api/v3/sandbox/${encodeURIComponent(id)}`;
}

/** One sandbox as `GET /api/v2/sandboxes` describes it. */
export interface SandboxItem {
  id: string;
  status: string;
  region: string;
  createdAt: string;
  stoppedAt: string | null;
  labels: Record<string, string>;
  driver?: string;
  memoryMb?: number;
  /** null: until its creating connection closes. */
  stopAt?: string | null;
  endReason?: string | null;
}

export interface ListFilter {
  labels?: Record<string, string>;
  status?: "running" | "stopped" | "all";
}

/** Newest first, as many pages as there are. */
export async function listSandboxes(api: Api, filter: ListFilter): Promise<SandboxItem[]> {
  const query: Record<string, string> = { status: filter.status ?? "running", limit: "1000" };
  for (const [key, value] of Object.entries(filter.labels ?? {})) query[`labels[${key}]`] = value;
  return await api.get<SandboxItem[]>("/api/v2/sandboxes", query);
}

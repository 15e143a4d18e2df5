import { type BaseClientOptions, resolveTarget } from "./endpoint.ts";
import { restPage } from "./rest.ts";

/** What the server's records say of a sandbox. */
export interface SandboxMetadata {
  id: string;
  /** Same as `id`; for a sandbox that client 0.2 created, the name it gave it. */
  sandboxId: string;
  createdAt: Date;
  stoppedAt: Date | null;
  region: string;
  status: "running" | "paused" | "stopped";
  labels: Record<string, string>;
  /** What it runs on: `gvisor`, … */
  driver: string;
  /** Whether its machine waited for it, was restored for it or booted; `null` once it has stopped. */
  origin: "pooled" | "restored" | "booted" | null;
  /** What its machine can do beside running: `checkpoint`, `pause`, …; none once it has stopped. */
  capabilities: string[];
  memoryMb: number;
  /**
   * When its time is up; `null` when it lives with its creator's connection. Of a paused one: when it ends
   * unless it is resumed.
   */
  stopAt: Date | null;
  /** Since when it is paused; `null` when it is not. */
  pausedAt: Date | null;
  /** The sandbox that it is a fork of. */
  parent: string | null;
  /** The name of the template that it, or its original, was made from. */
  template: string | null;
  /** Why it ended: `timeout`, `session_closed`, `killed`, `out_of_memory`, …; `null` while it runs. */
  endReason: string | null;
}

export interface SandboxesListOptions {
  /** Only sandboxes that have all these labels. */
  labels?: Record<string, string>;
  /** Default: `"running"`, which are all that have not stopped. */
  status?: "running" | "stopped" | "all";
  signal?: AbortSignal;
}

/** The organisation's sandboxes, page by page. */
export async function* listSandboxes(
  client: BaseClientOptions,
  options: SandboxesListOptions = {},
): AsyncGenerator<SandboxMetadata, undefined> {
  const { signal } = options;
  const target = await resolveTarget(client, undefined, signal);
  let query: Record<string, string> | undefined = {
    ...(options.status && { status: options.status }),
    ...Object.fromEntries(
      Object.entries(options.labels ?? {}).map(([key, value]) => [`labels[${key}]`, value]),
    ),
  };
  while (query) {
    const page: { body: Record<string, unknown>[]; next: Record<string, string> | undefined } =
      await restPage(target, { method: "GET", path: "/api/v2/sandboxes", query, signal });
    for (const item of page.body) yield toMetadata(item);
    query = page.next;
  }
}

export function toMetadata(item: Record<string, unknown>): SandboxMetadata {
  const date = (value: unknown) => typeof value === "string" ? new Date(value) : null;
  return {
    ...item as unknown as SandboxMetadata,
    createdAt: date(item.createdAt) ?? new Date(NaN),
    stoppedAt: date(item.stoppedAt),
    stopAt: date(item.stopAt),
    pausedAt: date(item.pausedAt),
  };
}

import { waits } from "./_defaults.ts";
import type { Link } from "./link.ts";
import { restRequest } from "./rest.ts";
import { toMetadata } from "./sandbox_metadata.ts";

interface Options {
  signal?: AbortSignal;
}

export async function pauseSandbox(link: Link, { signal }: Options): Promise<void> {
  await post(link, "pause", signal);
  await link.paused(signal);
}

export async function resumeSandbox(link: Link, { signal }: Options): Promise<void> {
  const { stopAt } = toMetadata(await post(link, "resume", signal));
  link.stopAt = stopAt === null ? "session" : stopAt.getTime();
  await link.connection(signal);
}

async function post(link: Link, what: "pause" | "resume", signal: AbortSignal | undefined) {
  return await restRequest<Record<string, unknown>>(link.target, {
    method: "POST",
    path: `/api/v3/sandbox/${link.sandboxId}/${what}`,
    deadlineMs: waits.pauseMs,
    signal,
  });
}

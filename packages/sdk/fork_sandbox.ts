import { waits } from "./_defaults.ts";
import { Link } from "./link.ts";
import { openConnection } from "./open_connection.ts";
import { restRequest } from "./rest.ts";
import { checkTimeout, type ForkOptions } from "./sandbox_options.ts";

interface Forked {
  id: string;
  stopAt: string | null;
}

/** Makes copies of a sandbox and connects to each. All of them, or an error and none. */
export async function forkSandbox(
  original: Link,
  count: number,
  options: ForkOptions,
): Promise<Link[]> {
  const { target, sandboxId, debug } = original;
  const { timeout, labels, signal } = options;
  if (!Number.isInteger(count) || count < 1) {
    throw new TypeError(`${count} is not a number of copies`);
  }
  checkTimeout(timeout);
  const { sandboxes } = await restRequest<{ sandboxes: Forked[] }>(target, {
    method: "POST",
    path: `/api/v3/sandbox/${sandboxId}/fork`,
    body: { count, timeout, labels },
    deadlineMs: waits.forkMs,
    signal,
  });
  const connected = await Promise.allSettled(sandboxes.map(async ({ id, stopAt }) => {
    const connection = await openConnection({
      target,
      path: `/api/v3/sandbox/${id}/connect`,
      sandboxId: id,
      deadlineMs: waits.connectMs,
      signal,
    });
    return new Link({
      ...{ target, sandboxId: id, connection, debug },
      stopAt: stopAt === null ? "session" : new Date(stopAt).getTime(),
    });
  }));
  const failed = connected.find(({ status }) => status === "rejected");
  if (!failed) return connected.map((it) => (it as PromiseFulfilledResult<Link>).value);
  for (const it of connected) if (it.status === "fulfilled") it.value.close().catch(() => {});
  await Promise.allSettled(
    sandboxes.map(({ id }) =>
      restRequest(target, { method: "DELETE", path: `/api/v3/sandbox/${id}` })
    ),
  );
  throw (failed as PromiseRejectedResult).reason;
}

import type { RunningSandbox } from "@paddock/engine";
import { PaddockError } from "@paddock/protocol";
import { type ExposedDomain, exposedPort, forgetExposedPort } from "./exposed_port.ts";
import { openGuestPort } from "./open_guest_port.ts";

const POLL_MS = 50;

const looking = new WeakMap<RunningSandbox, Map<string, Promise<void>>>();

/**
 * Settles once a server listens where the domain leads to, or at `until` (epoch milliseconds), or when
 * it turns out that there is another reason not to reach it: who waits finds out which by connecting.
 * All who wait for one domain share the looking.
 */
export function awaitListener(
  sandbox: RunningSandbox,
  exposed: ExposedDomain,
  until: number,
  signal: AbortSignal,
): Promise<void> {
  let domains = looking.get(sandbox);
  if (!domains) looking.set(sandbox, domains = new Map());
  let look = domains.get(exposed.domain);
  if (!look) {
    look = lookFor(sandbox, exposed, until, signal).finally(() => domains.delete(exposed.domain));
    domains.set(exposed.domain, look);
  }
  return look;
}

export function isNotListening(error: unknown): boolean {
  return error instanceof PaddockError && error.code === "PORT_NOT_LISTENING";
}

async function lookFor(
  sandbox: RunningSandbox,
  exposed: ExposedDomain,
  until: number,
  signal: AbortSignal,
): Promise<void> {
  while (Date.now() < until && !signal.aborted) {
    try {
      const port = await exposedPort(sandbox, exposed, signal);
      (await openGuestPort(sandbox, port, signal)).destroy();
      return;
    } catch (error) {
      if (!isNotListening(error)) return;
      forgetExposedPort(sandbox, exposed.domain);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

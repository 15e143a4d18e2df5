import { type LimitValues, PaddockError } from "@paddock/protocol";
import type { RunningSandbox } from "./engine.ts";

type Counted = Pick<RunningSandbox, "spec" | "state">;

/** Throws when the host runs as many sandboxes as it may; paused ones take up no place. */
export function refuseBeyondHost(
  sandboxes: Counted[],
  { sandboxes: most }: Pick<LimitValues, "sandboxes">,
): void {
  if (awake(sandboxes).length < most) return;
  throw new PaddockError("CAPACITY_EXHAUSTED", {
    message: `This host runs ${most} sandboxes, as many as it may (limits.sandboxes).`,
  });
}

/** For a sandbox that is to be resumed: it counts like one that is created. */
export function refuseBeyondLimits(
  sandboxes: Counted[],
  organizationId: string,
  limits: Pick<LimitValues, "sandboxes" | "sandboxesPerOrganization">,
): void {
  refuseBeyondHost(sandboxes, limits);
  const max = limits.sandboxesPerOrganization;
  const own = awake(sandboxes).filter(({ spec }) => spec.organizationId === organizationId);
  if (own.length < max) return;
  throw new PaddockError("TOO_MANY_SANDBOXES", {
    message:
      `The organisation has as many sandboxes as it may have: ${max}. This one stays paused.`,
    details: { limit: "sandboxesPerOrganization", max },
  });
}

function awake(sandboxes: Counted[]): Counted[] {
  return sandboxes.filter(({ state }) => state !== "paused");
}

import type { DriverName } from "@paddock/driver";
import type { SandboxRecord, SandboxSpec } from "./engine.ts";

/** What is written down of a sandbox that has not ended. */
export function sandboxRecord(
  spec: SandboxSpec,
  now: Pick<SandboxRecord, "state" | "createdAt" | "paused"> & {
    driver: DriverName;
    stopAt: number | "session";
  },
): SandboxRecord {
  const { id, organizationId, region, labels, memoryBytes } = spec;
  return {
    ...{ id, organizationId, region, labels, memoryBytes },
    alias: spec.alias ?? null,
    parent: spec.parent ?? null,
    template: spec.template ?? null,
    pauseAfterIdleMs: spec.pauseAfterIdleMs ?? null,
    ...now,
    stopAt: now.stopAt === "session" ? null : now.stopAt,
    stoppedAt: null,
    endReason: null,
  };
}

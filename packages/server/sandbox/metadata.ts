import type { Engine, RunningSandbox, SandboxRecord } from "@paddock/engine";

const MiB = 1024 * 1024;

/** A sandbox as listings and `GET /api/v3/sandbox/:id` show it. */
export function metadataOf(record: SandboxRecord, engine: Pick<Engine, "get">) {
  return {
    id: record.id,
    // Client 0.2 knows its sandboxes by the UUID it drew for them.
    sandboxId: record.alias ?? record.id,
    createdAt: isoTime(record.createdAt),
    stoppedAt: record.stoppedAt === null ? null : isoTime(record.stoppedAt),
    region: record.region,
    status: record.state === "stopped" || record.state === "paused"
      ? record.state
      : "running" as const,
    labels: record.labels,
    driver: record.driver,
    origin: engine.get(record.id)?.origin ?? null,
    // What its machine can do, as long as it has one.
    capabilities: engine.get(record.id)?.capabilities ?? [],
    memoryMb: Math.floor(record.memoryBytes / MiB),
    stopAt: record.stopAt === null ? null : isoTime(record.stopAt),
    pausedAt: record.paused && isoTime(record.paused.at),
    parent: record.parent,
    template: record.template,
    endReason: record.endReason,
  };
}

/** A sandbox as the call shows it that made it. */
export function createdOf({ spec, driver, capabilities, createdAt, stopAt }: RunningSandbox) {
  return {
    id: spec.id,
    region: spec.region,
    driver,
    capabilities,
    memoryMb: Math.floor(spec.memoryBytes / MiB),
    createdAt: createdAt.toISOString(),
    stopAt: stopAt === "session" ? null : isoTime(stopAt),
    labels: spec.labels,
  };
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

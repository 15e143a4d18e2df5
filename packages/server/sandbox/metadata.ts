import type { SandboxRecord } from "@paddock/engine";

const MiB = 1024 * 1024;

/** A sandbox as listings and `GET /api/v3/sandbox/:id` show it. */
export function metadataOf(record: SandboxRecord) {
  return {
    id: record.id,
    // Client 0.2 knows its sandboxes by the UUID it drew for them.
    sandboxId: record.alias ?? record.id,
    createdAt: isoTime(record.createdAt),
    stoppedAt: record.stoppedAt === null ? null : isoTime(record.stoppedAt),
    region: record.region,
    status: record.state === "stopped" ? "stopped" as const : "running" as const,
    labels: record.labels,
    driver: record.driver,
    memoryMb: Math.floor(record.memoryBytes / MiB),
    stopAt: record.stopAt === null ? null : isoTime(record.stopAt),
    endReason: record.endReason,
  };
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

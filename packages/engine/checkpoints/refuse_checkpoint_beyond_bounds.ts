import { PaddockError } from "@paddock/protocol";
import type { CheckpointBounds, StoredCheckpoint } from "./checkpoint_store.ts";

/** What an organisation has: checkpoints and templates, or paused sandboxes; and the files of all. */
export interface CheckpointTotals {
  count: number;
  bytes: number;
}

/** Throws TOO_MANY_CHECKPOINTS when the organisation may not have this one more. */
export function refuseCheckpointBeyondBounds(
  { kind, bytes: more }: Pick<StoredCheckpoint, "kind" | "bytes">,
  { count, bytes }: CheckpointTotals,
  bounds: CheckpointBounds,
): void {
  const [limit, what] = kind === "paused"
    ? ["pausedPerOrganization", "paused sandboxes"] as const
    : ["checkpointsPerOrganization", "checkpoints"] as const;
  if (count >= bounds[limit]) {
    throw new PaddockError("TOO_MANY_CHECKPOINTS", {
      message: `The organisation has ${count} ${what}, as many as it may have (limits.${limit}).`,
      details: { limit, max: bounds[limit] },
    });
  }
  const mostBytes = bounds.checkpointBytesPerOrganization;
  if (bytes + more > mostBytes) {
    throw new PaddockError("TOO_MANY_CHECKPOINTS", {
      message: `The organisation's checkpoints have ${bytes} bytes together, and with this one ` +
        `more than the ${mostBytes} they may have (limits.checkpointBytesPerOrganization).`,
      details: { limit: "checkpointBytesPerOrganization", max: mostBytes },
    });
  }
}

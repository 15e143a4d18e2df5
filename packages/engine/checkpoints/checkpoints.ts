import type { AroundStandstill } from "../engine.ts";
import type { StoredCheckpoint } from "./checkpoint_store.ts";

export interface CheckpointSpec {
  name?: string;
  /** It is a template, which needs a name: who has that already makes way when this one is whole. */
  definition?: string;
  around?: AroundStandstill;
}

/**
 * Sandboxes as they were at one moment, kept by name or id. Who may use which is the caller's business:
 * ids that come here are ids of the organisation that asks.
 */
export interface Checkpoints {
  /**
   * Of a running sandbox, which goes on. It exists when this resolves, whole and on the disk; of one that
   * fails nothing is left.
   */
  create(
    sandboxId: string,
    spec: CheckpointSpec,
    signal: AbortSignal,
  ): Promise<StoredCheckpoint>;
  /** Whether it has the guest image and the version of its driver that this node has now. */
  isCurrent(id: string, signal: AbortSignal): Promise<boolean>;
  /** Sandboxes that were made from it live on. */
  remove(id: string): Promise<void>;
}

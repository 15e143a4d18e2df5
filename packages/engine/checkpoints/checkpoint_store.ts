import type { DriverName } from "@paddock/driver";
import type { LimitValues } from "@paddock/protocol";

/**
 * `creating` until its files are whole and on the disk, `deleting` from before they are removed: a daemon
 * that finds either at its start removes files and record. Only `ready` ones exist for anybody else.
 */
export type CheckpointState = "creating" | "ready" | "deleting";

/**
 * `checkpoint` and `template`: somebody asked for it, and finds it by id or name; names of the one and of
 * the other have nothing to do with each other. `paused`: the machine of a paused sandbox.
 */
export type CheckpointKind = "checkpoint" | "template" | "paused";

/** A sandbox as it was at one moment. */
export interface StoredCheckpoint {
  id: string;
  kind: CheckpointKind;
  organizationId: string;
  /** Unique among the checkpoints, or among the templates, of the organisation. */
  name: string | null;
  /** Of a template: what it was built from, as its builder sums it up. Others have none. */
  definition: string | null;
  region: string;
  state: CheckpointState;
  driver: DriverName;
  /** The sandbox it is a checkpoint of, and its labels. */
  sandboxId: string;
  labels: Record<string, string>;
  memoryBytes: number;
  /** What its files have together; until it is ready, what they are expected to have. */
  bytes: number;
  createdAt: number;
}

export type CheckpointBounds = Pick<
  LimitValues,
  "checkpointsPerOrganization" | "checkpointBytesPerOrganization" | "pausedPerOrganization"
>;

/**
 * Written by the engine before it acts, so calls are synchronous; the server implements it on SQLite.
 */
export interface CheckpointStore {
  /** All or nothing. Throws CHECKPOINT_NAME_TAKEN and TOO_MANY_CHECKPOINTS. */
  insert(record: StoredCheckpoint, bounds: CheckpointBounds): void;
  update(id: string, patch: Partial<Pick<StoredCheckpoint, "state" | "name">>): void;
  /**
   * It is ready and has this many bytes. A template gets its name by this; of the one that had the name
   * before the id is answered: it is being deleted from then on, in the same step.
   */
  publish(id: string, bytes: number, templateName: string | undefined): string | undefined;
  remove(id: string): void;
  get(id: string): StoredCheckpoint | undefined;
  /** Every one, for recovery at start. */
  all(): StoredCheckpoint[];
}

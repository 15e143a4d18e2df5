import type { VolumeFormat } from "@paddock/driver";
import type { LimitValues, VolumeKind } from "@paddock/protocol";

/**
 * `creating` until the file is whole and on the disk, `deleting` from before it is removed: a daemon
 * that finds either at its start removes file and record. Only `ready` ones exist for anybody else.
 */
export type VolumeState = "creating" | "ready" | "deleting";

/** A volume, or a snapshot of one. */
export interface StoredVolume {
  id: string;
  kind: VolumeKind;
  organizationId: string;
  /** Unique among the organisation's volumes and snapshots together. */
  slug: string;
  region: string;
  state: VolumeState;
  /** Size of the filesystem. */
  capacityBytes: number;
  /** What counts towards the organisation's limit. */
  chargedBytes: number;
  /** What its file shared with others when that was last measured. */
  sharedBytes: number;
  format: VolumeFormat;
  bootable: boolean;
  /** Of a volume: the snapshot it was made from. Of a snapshot: the volume. */
  origin: { id: string; slug: string } | null;
  /** The sandbox that writes it. Written before the sandbox may, cleared once all is on the disk. */
  attachedTo: string | null;
  createdAt: number;
}

export type VolumeBounds = Pick<
  LimitValues,
  "volumesPerOrganization" | "volumeBytesPerOrganization"
>;

/**
 * Written by the engine before it acts, so calls are synchronous; the server implements it on SQLite.
 */
export interface VolumeStore {
  /** All or nothing. Throws SLUG_TAKEN and TOO_MANY_VOLUMES. */
  insert(record: StoredVolume, bounds: VolumeBounds): void;
  update(
    id: string,
    patch: Partial<Pick<StoredVolume, "state" | "sharedBytes" | "attachedTo">>,
  ): void;
  remove(id: string): void;
  get(id: string): StoredVolume | undefined;
  /** Every one, for recovery at start. */
  all(): StoredVolume[];
}

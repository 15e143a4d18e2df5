import type { VolumeImageSize } from "@paddock/driver";
import type { StoredVolume } from "./volume_store.ts";

/**
 * Filesystems that outlive sandboxes. Who may use which is the caller's business: ids that come here
 * are ids of the organisation that asks.
 *
 * A volume has one writer at a time. A snapshot is never written, so any number of sandboxes read it.
 */
export interface Volumes {
  /** Throws SLUG_TAKEN, TOO_MANY_VOLUMES, DISK_FULL; nothing is left of one that fails. */
  create(spec: VolumeSpec, signal: AbortSignal): Promise<StoredVolume>;
  /** Of a volume that no sandbox has. Throws VOLUME_IN_USE, and as `create` does. */
  snapshot(volumeId: string, spec: { slug: string }, signal: AbortSignal): Promise<StoredVolume>;
  /** Throws VOLUME_IN_USE while a sandbox has it. */
  remove(id: string): Promise<void>;
  size(record: StoredVolume): Promise<VolumeImageSize>;
}

export interface VolumeSpec {
  organizationId: string;
  slug: string;
  region: string;
  capacityBytes: number;
  /** Left out: an empty filesystem. */
  from?: "builtin" | { snapshotId: string };
}

import type { BaseClientOptions } from "./endpoint.ts";
import type { PaginatedList } from "./paginated_list.ts";
import { type Snapshot, snapshotOf } from "./snapshot.ts";
import { type Volume, volumeOf } from "./volume.ts";
import type {
  SnapshotInit,
  SnapshotListOptions,
  VolumeInit,
  VolumeListOptions,
} from "./volume_types.ts";
import { VolumesApi } from "./volumes_api.ts";

/** The volumes of an organisation. */
export interface Volumes {
  create(init: VolumeInit): Promise<Volume>;
  /** `null` when there is none of that id or slug. */
  get(idOrSlug: string): Promise<Volume | null>;
  /** Newest first. Iterate over what it resolves with to get all of them. */
  list(options?: VolumeListOptions): Promise<PaginatedList<Volume>>;
  /** Refused while a sandbox has it. */
  delete(idOrSlug: string): Promise<void>;
  /** Makes a snapshot of a volume that no sandbox has. */
  snapshot(idOrSlug: string, init: SnapshotInit): Promise<Snapshot>;
}

/** The snapshots of an organisation. */
export interface Snapshots {
  /** `null` when there is none of that id or slug. */
  get(idOrSlug: string): Promise<Snapshot | null>;
  /** Newest first. Iterate over what it resolves with to get all of them. */
  list(options?: SnapshotListOptions): Promise<PaginatedList<Snapshot>>;
  /** Refused while a sandbox has it as its root. */
  delete(idOrSlug: string): Promise<void>;
}

export function createVolumes(options: BaseClientOptions): Volumes {
  const api = new VolumesApi(options);
  return {
    create: async (init) => volumeOf(await api.createVolume(init), api),
    async get(idOrSlug) {
      const info = await api.getVolume(idOrSlug);
      return info && volumeOf(info, api);
    },
    list: (more = {}) => api.listVolumes(more, (info) => volumeOf(info, api)),
    delete: (idOrSlug) => api.deleteVolume(idOrSlug),
    snapshot: async (idOrSlug, init) => snapshotOf(await api.createSnapshot(idOrSlug, init), api),
  };
}

export function createSnapshots(options: BaseClientOptions): Snapshots {
  const api = new VolumesApi(options);
  return {
    async get(idOrSlug) {
      const info = await api.getSnapshot(idOrSlug);
      return info && snapshotOf(info, api);
    },
    list: (more = {}) => api.listSnapshots(more, (info) => snapshotOf(info, api)),
    delete: (idOrSlug) => api.deleteSnapshot(idOrSlug),
  };
}

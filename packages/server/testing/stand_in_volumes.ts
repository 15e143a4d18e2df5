import type { StoredVolume, VolumeBounds, Volumes, VolumeSpec, VolumeStore } from "@paddock/engine";
import { defaultLimits, newVolumeId, PaddockError } from "@paddock/protocol";

/**
 * NOT volumes: records alone, for tests of the HTTP surface. There are no files behind them; those are
 * tested with the real engine.
 */
export class StandInVolumes implements Volumes {
  readonly #store: VolumeStore;
  bounds: VolumeBounds = defaultLimits;
  #clock = 1_000;

  constructor(store: VolumeStore) {
    this.#store = store;
  }

  async create(spec: VolumeSpec): Promise<StoredVolume> {
    const { from, ...rest } = spec;
    const snapshot = typeof from === "object" ? this.#store.get(from.snapshotId) : undefined;
    return this.#insert({
      ...{ ...rest, kind: "volume", chargedBytes: spec.capacityBytes },
      bootable: from === "builtin" || (snapshot?.bootable ?? false),
      origin: snapshot ? { id: snapshot.id, slug: snapshot.slug } : null,
    });
  }

  async snapshot(volumeId: string, { slug }: { slug: string }): Promise<StoredVolume> {
    const { id, slug: from, organizationId, region, capacityBytes, bootable } = this.#store.get(
      volumeId,
    )!;
    return this.#insert({
      ...{ organizationId, region, capacityBytes, bootable, slug },
      ...{ kind: "snapshot", chargedBytes: 0, origin: { id, slug: from } },
    });
  }

  async remove(id: string): Promise<void> {
    if (this.#store.get(id)?.attachedTo) throw new PaddockError("VOLUME_IN_USE");
    this.#store.remove(id);
  }

  async size() {
    return { flattened: 4096, allocated: 1024 };
  }

  #insert(
    parts: Omit<
      StoredVolume,
      "id" | "state" | "format" | "sharedBytes" | "attachedTo" | "createdAt"
    >,
  ): StoredVolume {
    const record: StoredVolume = {
      ...parts,
      id: newVolumeId(parts.kind, parts.region),
      ...{ state: "ready", format: "host_ext4", sharedBytes: 0, attachedTo: null },
      createdAt: this.#clock++,
    };
    this.#store.insert(record, this.bounds);
    return record;
  }
}

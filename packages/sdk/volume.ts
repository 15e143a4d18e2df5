import type { VolumeInfo } from "@paddock/protocol";
import type { BaseClientOptions } from "./endpoint.ts";
import { Snapshot, snapshotOf } from "./snapshot.ts";
import type { SnapshotInit, VolumeInit } from "./volume_types.ts";
import { VolumesApi } from "./volumes_api.ts";

const volumeKey = Symbol("Volume");

/**
 * A filesystem that outlives sandboxes; one sandbox at a time writes it.
 *
 * ```ts
 * import { Sandbox, Volume } from "@paddock/sandbox";
 *
 * const volume = await Volume.create({ slug: "cache", capacity: "2GB" });
 * await using sandbox = await Sandbox.create({ volumes: { "/data": volume } });
 * ```
 *
 * What is here is what the server said when this was made: `Volume.get` asks again.
 */
export class Volume {
  readonly #info: VolumeInfo;
  readonly #api: VolumesApi;

  /** @internal */
  constructor(key: symbol, info: VolumeInfo, api: VolumesApi) {
    if (key !== volumeKey) {
      throw new TypeError("Volume cannot be constructed; use `Volume.create()`");
    }
    this.#info = info;
    this.#api = api;
  }

  /** Same as `client.volumes.create`. */
  static async create(options: VolumeInit & BaseClientOptions): Promise<Volume> {
    const api = new VolumesApi(options);
    return volumeOf(await api.createVolume(options), api);
  }

  /** Same as `client.volumes.get`. */
  static async get(idOrSlug: string, options: BaseClientOptions = {}): Promise<Volume | null> {
    const api = new VolumesApi(options);
    const info = await api.getVolume(idOrSlug);
    return info && volumeOf(info, api);
  }

  /** `vol_`, the region's three letters, `_` and twenty characters. */
  get id(): string {
    return this.#info.id;
  }

  get slug(): string {
    return this.#info.slug;
  }

  get region(): string {
    return this.#info.region;
  }

  /** Bytes, as are the sizes. */
  get capacity(): number {
    return this.#info.capacity;
  }

  /** What it takes up on the host that no snapshot shares. */
  get estimatedAllocatedSize(): number {
    return this.#info.estimated_allocated_size;
  }

  /** What it would take up if it shared nothing with the snapshot it was made from. */
  get estimatedFlattenedSize(): number {
    return this.#info.estimated_flattened_size;
  }

  /** Whether it can be a sandbox's `root`. */
  get isBootable(): boolean {
    return this.#info.is_bootable;
  }

  /** The snapshot it was made from, while that is there. */
  get baseSnapshot(): { id: string; slug: string } | null {
    return this.#info.base_snapshot;
  }

  /** The id of the sandbox that has it mounted. */
  get attachedTo(): string | null {
    return this.#info.attached_to;
  }

  get createdAt(): Date {
    return new Date(this.#info.created_at);
  }

  /** Makes a snapshot of it, while no sandbox has it. */
  async snapshot(init: SnapshotInit): Promise<Snapshot> {
    return snapshotOf(await this.#api.createSnapshot(this.id, init), this.#api);
  }

  /** Deletes it with all that is on it, while no sandbox has it. */
  delete(): Promise<void> {
    return this.#api.deleteVolume(this.id);
  }

  /** What `console.log` shows in Node, Deno and Bun. */
  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    const { id, slug, region, capacity, isBootable, baseSnapshot, attachedTo } = this;
    const { estimatedAllocatedSize, estimatedFlattenedSize } = this;
    return {
      ...{ id, slug, region, capacity, estimatedAllocatedSize, estimatedFlattenedSize },
      ...{ isBootable, baseSnapshot, attachedTo },
    };
  }
}

export function volumeOf(info: VolumeInfo, api: VolumesApi): Volume {
  return new Volume(volumeKey, info, api);
}

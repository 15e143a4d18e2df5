import type { SnapshotInfo } from "@paddock/protocol";
import type { BaseClientOptions } from "./endpoint.ts";
import type { SnapshotInit } from "./volume_types.ts";
import { VolumesApi } from "./volumes_api.ts";

const snapshotKey = Symbol("Snapshot");

/**
 * A volume as it was at one moment, never changed again: any number of sandboxes have it as their root,
 * and volumes are made from it.
 */
export class Snapshot {
  readonly #info: SnapshotInfo;
  readonly #api: VolumesApi;

  /** @internal */
  constructor(key: symbol, info: SnapshotInfo, api: VolumesApi) {
    if (key !== snapshotKey) {
      throw new TypeError("Snapshot cannot be constructed; use `Snapshot.create()`");
    }
    this.#info = info;
    this.#api = api;
  }

  /** Same as `client.volumes.snapshot`. */
  static async create(
    volume: string,
    options: SnapshotInit & BaseClientOptions,
  ): Promise<Snapshot> {
    const api = new VolumesApi(options);
    return snapshotOf(await api.createSnapshot(volume, options), api);
  }

  /** Same as `client.snapshots.get`. */
  static async get(idOrSlug: string, options: BaseClientOptions = {}): Promise<Snapshot | null> {
    const api = new VolumesApi(options);
    const info = await api.getSnapshot(idOrSlug);
    return info && snapshotOf(info, api);
  }

  /** `snp_`, the region's three letters, `_` and twenty characters. */
  get id(): string {
    return this.#info.id;
  }

  get slug(): string {
    return this.#info.slug;
  }

  get region(): string {
    return this.#info.region;
  }

  /** Bytes that a volume made from it has at least. */
  get capacity(): number {
    return this.#info.capacity;
  }

  /** Bytes it takes up on the host that nothing else shares. */
  get allocatedSize(): number {
    return this.#info.allocated_size;
  }

  /** Bytes it would take up if it shared nothing. */
  get flattenedSize(): number {
    return this.#info.flattened_size;
  }

  /** Whether it can be a sandbox's `root`. */
  get isBootable(): boolean {
    return this.#info.is_bootable;
  }

  /** What it was made of, which may have been deleted since. */
  get volume(): { id: string; slug: string } {
    return this.#info.volume;
  }

  get createdAt(): Date {
    return new Date(this.#info.created_at);
  }

  /** Deletes it, while no sandbox has it as root. Volumes that were made from it stay. */
  delete(): Promise<void> {
    return this.#api.deleteSnapshot(this.id);
  }

  /** What `console.log` shows in Node, Deno and Bun. */
  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    const { id, slug, region, capacity, allocatedSize, flattenedSize, isBootable, volume } = this;
    return { id, slug, region, capacity, allocatedSize, flattenedSize, isBootable, volume };
  }
}

export function snapshotOf(info: SnapshotInfo, api: VolumesApi): Snapshot {
  return new Snapshot(snapshotKey, info, api);
}

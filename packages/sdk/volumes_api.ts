import type { SnapshotInfo, VolumeInfo } from "@paddock/protocol";
import { waits } from "./_defaults.ts";
import { type BaseClientOptions, resolveTarget } from "./endpoint.ts";
import { ApiError } from "./errors.ts";
import { PaginatedList } from "./paginated_list.ts";
import { restPage, type RestRequest, restRequest } from "./rest.ts";
import type { ListOptions, SnapshotInit, VolumeInit } from "./volume_types.ts";

const VOLUMES = "/api/v2/volumes";
const SNAPSHOTS = "/api/v2/snapshots";

/** Plain requests about volumes and snapshots, to the server that the options name. */
export class VolumesApi {
  readonly #options: BaseClientOptions;

  constructor(options: BaseClientOptions) {
    this.#options = options;
  }

  createVolume({ slug, region, capacity, from }: VolumeInit): Promise<VolumeInfo> {
    return this.#make(VOLUMES, { slug, region, capacity, from });
  }

  createSnapshot(volume: string, { slug }: SnapshotInit): Promise<SnapshotInfo> {
    return this.#make(`${pathOf(VOLUMES, volume)}/snapshot`, { slug });
  }

  getVolume(idOrSlug: string): Promise<VolumeInfo | null> {
    return this.#find(pathOf(VOLUMES, idOrSlug));
  }

  getSnapshot(idOrSlug: string): Promise<SnapshotInfo | null> {
    return this.#find(pathOf(SNAPSHOTS, idOrSlug));
  }

  deleteVolume(idOrSlug: string): Promise<void> {
    return this.#delete(pathOf(VOLUMES, idOrSlug));
  }

  deleteSnapshot(idOrSlug: string): Promise<void> {
    return this.#delete(pathOf(SNAPSHOTS, idOrSlug));
  }

  listVolumes<T>(options: ListOptions, map: (info: VolumeInfo) => T): Promise<PaginatedList<T>> {
    return this.#list(VOLUMES, options, map);
  }

  listSnapshots<T>(
    options: ListOptions,
    map: (info: SnapshotInfo) => T,
  ): Promise<PaginatedList<T>> {
    return this.#list(SNAPSHOTS, options, map);
  }

  async #make<T>(path: string, body: unknown): Promise<T> {
    return await this.#ask({ method: "POST", path, body, deadlineMs: waits.volumeMs });
  }

  async #find<T>(path: string): Promise<T | null> {
    return await this.#ask<T>({ method: "GET", path }).catch((error) => {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    });
  }

  async #delete(path: string): Promise<void> {
    await this.#ask({ method: "DELETE", path });
  }

  async #list<I, T>(
    path: string,
    options: ListOptions,
    map: (info: I) => T,
  ): Promise<PaginatedList<T>> {
    const query = Object.fromEntries(
      Object.entries(options).filter(([, value]) => value !== undefined)
        .map(([key, value]) => [key, String(value)]),
    );
    const target = await resolveTarget(this.#options, undefined);
    const { body, next } = await restPage<I[]>(target, { method: "GET", path, query });
    return new PaginatedList(
      body.map(map),
      next?.cursor ?? null,
      (cursor) => this.#list(path, { ...options, cursor }, map),
    );
  }

  async #ask<T>(request: RestRequest): Promise<T> {
    return await restRequest<T>(await resolveTarget(this.#options, undefined), request);
  }
}

function pathOf(collection: string, idOrSlug: string): string {
  return `${collection}/${encodeURIComponent(idOrSlug)}`;
}

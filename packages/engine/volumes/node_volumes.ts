import {
  checkVolumeImage,
  copyVolumeImage,
  createVolumeImage,
  type Driver,
  growVolumeImage,
  lengthenVolumeImage,
  type Log,
  type MachineImage,
  releasedByLoop,
  type RootVolume,
  syncFile,
  type VolumeFormat,
  type VolumeImageSize,
  volumeImageSize,
  type VolumeMount,
  wasCutOff,
} from "@paddock/driver";
import { type LimitValues, newVolumeId, PaddockError, volumePathProblem } from "@paddock/protocol";
import type { SandboxSpec } from "../engine.ts";
import { BaseImage } from "./_base_image.ts";
import { Claims } from "./_claims.ts";
import { explainVolumeFailure } from "./_volume_failure.ts";
import { VolumeFiles } from "./_volume_files.ts";
import { refuseWithoutDisk } from "./_volume_room.ts";
import type { StoredVolume, VolumeStore } from "./volume_store.ts";
import type { Volumes, VolumeSpec } from "./volumes.ts";

export interface NodeVolumesOptions {
  /** Directory of the volumes' files. */
  directory: string;
  store: VolumeStore;
  /** The node's default, which new volumes are made for. */
  driver: () => Driver;
  image: MachineImage;
  limits: LimitValues;
  log: Log;
}

/** What a sandbox has of the volumes, until it is released. */
export interface AttachedVolumes {
  volumes: VolumeMount[];
  rootVolume?: RootVolume;
  /** After the machine has ended: resolves when what it wrote is on the disk. May be repeated. */
  release(): Promise<void>;
}

/** Who owns the top of an empty volume: the user `sandbox` of the guest image. */
const OWNER = { uid: 1000, gid: 1000 };
const RELEASE_DEADLINE_MS = 20_000;

export class NodeVolumes implements Volumes {
  readonly #options: NodeVolumesOptions;
  readonly #files: VolumeFiles;
  readonly #base: BaseImage;
  readonly #claims = new Claims();
  readonly #closing = new AbortController();
  readonly #works = new Set<Promise<unknown>>();

  constructor(options: NodeVolumesOptions) {
    this.#options = options;
    this.#files = new VolumeFiles(options.directory);
    const bytes = options.limits.bootableVolumeMinBytes;
    this.#base = new BaseImage(`${options.directory}/.base`, options.image, bytes);
  }

  /** Finishes what an earlier daemon began. Its machines must have been ended. */
  async open(): Promise<void> {
    const { store, log } = this.#options;
    await this.#files.open();
    await this.#base.open();
    const whole = new Set<string>();
    for (const { id, state, attachedTo } of store.all()) {
      if (state !== "ready") {
        await this.#files.remove(id);
        store.remove(id);
        log.info("removed a volume that was not whole", { volume: id, state });
        continue;
      }
      whole.add(id);
      if (!this.#files.has(id)) log.error("the file of a volume is missing", { volume: id });
      else if (attachedTo !== null) await this.#detach(id);
    }
    await this.#files.removeUnfinished();
    // No crash leaves these: the records are not the ones that the files were made with.
    const strange = (await this.#files.list()).filter((id) => !whole.has(id));
    if (strange.length > 0) log.warn("volumes without a record are left alone", { strange });
  }

  async close(): Promise<void> {
    this.#closing.abort(new PaddockError("SHUTTING_DOWN"));
    await Promise.allSettled(this.#works);
    await this.#base.close();
  }

  async create(spec: VolumeSpec, signal: AbortSignal): Promise<StoredVolume> {
    const format = this.#options.driver().traits.volumeFormat;
    const { from, capacityBytes } = spec;
    const snapshot = typeof from === "object" ? this.#ready(from.snapshotId) : undefined;
    if (snapshot) refuseUnlikeSnapshot(spec, snapshot, format);
    using _reading = snapshot && this.#claims.reading(snapshot, "a volume is made from it");
    return await this.#make(
      {
        ...{ kind: "volume", format, origin: snapshot ? nameOf(snapshot) : null },
        ...{ organizationId: spec.organizationId, slug: spec.slug, region: spec.region },
        ...{ capacityBytes, chargedBytes: capacityBytes },
        bootable: from === "builtin" || (snapshot?.bootable ?? false),
      },
      signal,
      async (path, within) => {
        if (from === undefined) {
          return await createVolumeImage(path, capacityBytes, { owner: OWNER, signal: within });
        }
        await this.#copy(
          snapshot ? this.#files.image(snapshot.id) : await this.#base.get(within),
          path,
          within,
        );
        const { size } = await Deno.stat(path);
        if (capacityBytes <= size) return;
        if (snapshot && format === "guest_block") await lengthenVolumeImage(path, capacityBytes);
        else await growVolumeImage(path, capacityBytes, within);
      },
    );
  }

  async snapshot(
    volumeId: string,
    { slug }: { slug: string },
    signal: AbortSignal,
  ): Promise<StoredVolume> {
    const volume = this.#ready(volumeId);
    if (volume.kind !== "volume") {
      throw new PaddockError("INVALID_REQUEST", { message: "A snapshot is made of a volume." });
    }
    using _alone = this.#claims.alone(volume, "a snapshot is made of it");
    const { organizationId, region, capacityBytes, format, bootable } = volume;
    if (format === "guest_block" && await wasCutOff(this.#files.image(volumeId))) {
      throw new PaddockError("VOLUME_CUT_OFF");
    }
    const { flattened } = await this.size(volume);
    return await this.#make(
      {
        ...{ kind: "snapshot", slug, origin: nameOf(volume), chargedBytes: flattened },
        ...{ organizationId, region, capacityBytes, format, bootable },
      },
      signal,
      async (path, within) => {
        await this.#copy(this.#files.image(volumeId), path, within);
        // A volume that a crash of the host cut off has its last writes in the journal: a snapshot is
        // mounted read-only, and nobody would take them from there.
        if (format === "host_ext4") await checkVolumeImage(path, within);
      },
    );
  }

  async remove(id: string): Promise<void> {
    const { store } = this.#options;
    using _alone = this.#claims.alone(this.#ready(id), "it is being deleted");
    store.update(id, { state: "deleting" });
    await this.#files.remove(id);
    store.remove(id);
  }

  async size({ id, sharedBytes }: StoredVolume): Promise<VolumeImageSize> {
    const { blocks } = await Deno.stat(this.#files.image(id));
    const flattened = (blocks ?? 0) * 512;
    return { flattened, allocated: Math.max(0, flattened - sharedBytes) };
  }

  /** All of what the sandbox asks for, or an error and nothing. */
  attach(
    { id, organizationId, root, volumes = [] }: AttachRequest,
    driver: Driver,
  ): AttachedVolumes {
    const { store } = this.#options;
    const format = driver.traits.volumeFormat;
    const claims: Disposable[] = [];
    const written: string[] = [];
    const take = (volumeId: string): RootVolume & { bootable: boolean } => {
      const record = this.#ready(volumeId);
      // The server looks ids up by organisation; that they are its own is looked at here all the same.
      if (record.organizationId !== organizationId) throw new PaddockError("VOLUME_NOT_FOUND");
      if (record.format !== format) throw new PaddockError("VOLUME_FOREIGN_FORMAT");
      const readOnly = record.kind === "snapshot";
      claims.push(
        readOnly ? this.#claims.reading(record, id) : this.#claims.alone(record, id),
      );
      if (!readOnly) written.push(volumeId);
      return { image: this.#files.image(volumeId), readOnly, bootable: record.bootable };
    };
    try {
      const rootVolume = root === undefined ? undefined : take(root);
      if (rootVolume && !rootVolume.bootable) {
        throw new PaddockError("VOLUME_NOT_BOOTABLE", { field: "root" });
      }
      const mounts = volumes.map(({ volumeId, path }) => {
        const problem = volumePathProblem(path);
        if (problem) {
          throw new PaddockError("INVALID_CONFIG", { field: "volumes", message: problem });
        }
        const { image, readOnly } = take(volumeId);
        return { image, readOnly, path };
      });
      for (const volumeId of written) store.update(volumeId, { attachedTo: id });
      return {
        volumes: mounts,
        ...(rootVolume &&
          { rootVolume: { image: rootVolume.image, readOnly: rootVolume.readOnly } }),
        release: async () => {
          for (const volumeId of [...written]) {
            await this.#detach(volumeId);
            written.splice(written.indexOf(volumeId), 1);
          }
          for (const claim of claims.splice(0)) claim[Symbol.dispose]();
        },
      };
    } catch (error) {
      for (const volumeId of written) store.update(volumeId, { attachedTo: null });
      for (const claim of claims) claim[Symbol.dispose]();
      throw error;
    }
  }

  /** Whoever wrote it is gone: what they wrote goes to the disk, and then it is anybody's. */
  async #detach(id: string): Promise<void> {
    const path = this.#files.image(id);
    await releasedByLoop([path], RELEASE_DEADLINE_MS);
    await syncFile(path);
    const { flattened, allocated } = await volumeImageSize(path);
    this.#options.store.update(id, { attachedTo: null, sharedBytes: flattened - allocated });
  }

  #ready(id: string): StoredVolume {
    const record = this.#options.store.get(id);
    if (record?.state !== "ready") throw new PaddockError("VOLUME_NOT_FOUND");
    return record;
  }

  async #copy(from: string, to: string, signal: AbortSignal): Promise<void> {
    const { flattened } = await volumeImageSize(from, signal);
    await refuseWithoutDisk(this.#files.directory, flattened, this.#options.limits);
    await copyVolumeImage(from, to, signal);
  }

  /** The record first, then the file under another name, its right name, and the record again. */
  #make(
    parts: Omit<StoredVolume, "id" | "state" | "createdAt" | "attachedTo" | "sharedBytes">,
    signal: AbortSignal,
    build: (path: string, signal: AbortSignal) => Promise<void>,
  ): Promise<StoredVolume> {
    const { store, limits, log } = this.#options;
    const record: StoredVolume = {
      ...parts,
      id: newVolumeId(parts.kind, parts.region),
      ...{ state: "creating", attachedTo: null, sharedBytes: 0, createdAt: Date.now() },
    };
    const { id } = record;
    const deadline = AbortSignal.timeout(limits.volumeWorkMs);
    const within = AbortSignal.any([signal, this.#closing.signal, deadline]);
    const work = async () => {
      await refuseWithoutDisk(this.#files.directory, 0, limits);
      within.throwIfAborted();
      store.insert(record, limits);
      try {
        await build(this.#files.unfinished(id), within);
        await this.#files.publish(id);
        const { flattened, allocated } = await volumeImageSize(this.#files.image(id));
        within.throwIfAborted();
        store.update(id, { state: "ready", sharedBytes: flattened - allocated });
        return store.get(id)!;
      } catch (error) {
        // Should this fail too, the next start repeats it.
        await this.#files.remove(id).then(() => store.remove(id)).catch((error) =>
          log.error("a volume that failed is not removed", { volume: id, error: String(error) })
        );
        throw explainVolumeFailure(error, deadline, limits);
      }
    };
    const making = work();
    this.#works.add(making);
    making.catch(() => {}).finally(() => this.#works.delete(making));
    return making;
  }
}

export type AttachRequest = Pick<SandboxSpec, "id" | "organizationId" | "root" | "volumes">;

function nameOf({ id, slug }: StoredVolume) {
  return { id, slug };
}

function refuseUnlikeSnapshot(
  spec: VolumeSpec,
  snapshot: StoredVolume,
  format: VolumeFormat,
): void {
  const refuse = (field: string, message: string) => {
    throw new PaddockError("INVALID_REQUEST", { field, message: `${field}: ${message}` });
  };
  if (snapshot.kind !== "snapshot") {
    refuse("from", "a volume is made from a snapshot; make one of that volume first");
  }
  if (snapshot.format !== format) throw new PaddockError("VOLUME_FOREIGN_FORMAT");
  if (snapshot.region !== spec.region) refuse("region", `the snapshot is in ${snapshot.region}`);
  const { capacityBytes: least } = snapshot;
  if (spec.capacityBytes < least) refuse("capacity", `the snapshot has ${least} bytes itself`);
}

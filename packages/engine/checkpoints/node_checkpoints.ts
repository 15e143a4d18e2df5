import { type DriverName, type Log, type MachineImage, sleep } from "@paddock/driver";
import { type LimitValues, newSandboxId, PaddockError } from "@paddock/protocol";
import { beginCheckpoint } from "../begin_checkpoint.ts";
import { isPassingRestoreFailure } from "../machine_died.ts";
import { findDamage } from "../checkpoint_files.ts";
import type { RestoreSource } from "../restore_source.ts";
import type { AroundStandstill, RunningSandbox } from "../engine.ts";
import { CheckpointDirectories, type CheckpointManifest } from "./_checkpoint_directories.ts";
import type { Checkpoints, CheckpointSpec } from "./checkpoints.ts";
import type { CheckpointKind, CheckpointStore, StoredCheckpoint } from "./checkpoint_store.ts";

const ID_PREFIX: Record<CheckpointKind, string> = {
  checkpoint: "chk",
  template: "tpl",
  paused: "psd",
};
const ATTEMPTS = 3;
const BETWEEN_ATTEMPTS_MS = 300;

/** What is asked of a sandbox that is to be checkpointed. */
export interface Checkpointable
  extends Pick<RunningSandbox, "spec" | "driver" | "usage" | "agent"> {
  readonly driverVersion: string | undefined;
  readonly imageDigest: string;
  checkpoint(
    directory: string,
    signal: AbortSignal,
    around?: AroundStandstill,
  ): Promise<{ token: string }>;
  /** Resolves when it has been seen to go on; what was made for that is ending then. */
  tryCheckpoint(
    checkpoint: { directory: string; token: string; written: Promise<unknown> },
    signal: AbortSignal,
  ): Promise<{ ended: Promise<void> }>;
}

export interface NodeCheckpointsOptions {
  directory: string;
  store: CheckpointStore;
  find(sandboxId: string): Checkpointable | undefined;
  /** The version of a driver that works here. */
  versionOf(driver: DriverName, signal: AbortSignal): Promise<string | undefined>;
  /** Digest of the image that new machines boot from. */
  presentImage: string;
  /** An image by its digest, if this host has it. */
  image(digest: string): Promise<MachineImage | undefined>;
  /** Called when there is one less that machines may be restored from. */
  forgotten(id: string): void;
  limits: LimitValues;
  log: Log;
}

export class NodeCheckpoints implements Checkpoints {
  readonly #options: NodeCheckpointsOptions;
  readonly #files: CheckpointDirectories;
  readonly #closing = new AbortController();
  readonly #works = new Set<Promise<unknown>>();
  /** Of those that machines were restored from: what was verified, and how many need the files. */
  readonly #sources = new Map<string, { source: RestoreSource; signature: string }>();

  constructor(options: NodeCheckpointsOptions) {
    this.#options = options;
    this.#files = new CheckpointDirectories(options.directory);
  }

  /** Finishes what an earlier daemon began. Its machines must have been ended. */
  async open(): Promise<void> {
    const { store, log } = this.#options;
    await this.#files.open();
    for (const { id, state } of store.all()) {
      if (state === "ready") continue;
      await this.#files.remove(id);
      store.remove(id);
      log.info("removed a checkpoint that was not whole", { checkpoint: id, state });
    }
    const known = new Set(store.all().map(({ id }) => id));
    const strange = (await this.#files.sweep()).filter((id) => !known.has(id));
    // No crash leaves these: the records are not the ones that the files were made with.
    if (strange.length > 0) log.warn("checkpoints without a record are left alone", { strange });
  }

  async close(): Promise<void> {
    this.#closing.abort(new PaddockError("SHUTTING_DOWN"));
    // What is under way may begin more: a machine that was tried ends after it was.
    while (this.#works.size > 0) await Promise.allSettled(this.#works);
  }

  create(
    sandboxId: string,
    spec: CheckpointSpec,
    signal: AbortSignal,
  ): Promise<StoredCheckpoint> {
    const kind = spec.definition === undefined ? "checkpoint" : "template";
    return this.#working(this.#create(sandboxId, { ...spec, kind }, signal));
  }

  /** Of a machine that stands still: to wait and to try again would change nothing. */
  pause(sandboxId: string, signal: AbortSignal): Promise<StoredCheckpoint> {
    return this.#working(this.#create(sandboxId, { kind: "paused" }, signal));
  }

  /** Removes machines of sandboxes that are not paused in them any more. */
  async keepPaused(checkpoints: Set<string>): Promise<void> {
    for (const { id, kind } of this.#options.store.all()) {
      if (kind === "paused" && !checkpoints.has(id)) await this.remove(id);
    }
  }

  /** Whether it is there, which does not say that it is as it was. */
  async has(id: string): Promise<boolean> {
    if (this.#options.store.get(id)?.state !== "ready") return false;
    return await this.#files.manifest(id).then(() => true, () => false);
  }

  #working<T>(work: Promise<T>): Promise<T> {
    this.#works.add(work);
    work.catch(() => {}).finally(() => this.#works.delete(work));
    return work;
  }

  async #create(
    sandboxId: string,
    { kind, name, definition, around }: CheckpointSpec & { kind: CheckpointKind },
    signal: AbortSignal,
  ): Promise<StoredCheckpoint> {
    const { store, limits, log, find } = this.#options;
    const within = AbortSignal.any([signal, this.#closing.signal]);
    const sandbox = find(sandboxId);
    if (!sandbox) throw new PaddockError("SANDBOX_NOT_FOUND");
    const { organizationId, region, labels, memoryBytes } = sandbox.spec;
    const expected = (await sandbox.usage()).memoryBytes;
    within.throwIfAborted();
    const isTemplate = kind === "template";
    const record: StoredCheckpoint = {
      ...{ id: newSandboxId(region).replace(/^sbx/, ID_PREFIX[kind]), kind },
      ...{ organizationId, region, labels, memoryBytes, sandboxId, driver: sandbox.driver },
      // A template leaves its name to the one that has it until it is whole.
      ...{ name: isTemplate ? null : name ?? null, definition: definition ?? null },
      ...{ state: "creating", bytes: expected, createdAt: Date.now() },
    };
    const { id } = record;
    store.insert(record, limits);
    let replaced: string | undefined;
    try {
      const written = await this.#write(sandbox, { id, kind, around }, within);
      const { imageDigest, driverVersion = null } = sandbox;
      const manifest = { ...written, imageDigest, driverVersion };
      const bytes = await this.#files.publish(id, manifest, within);
      within.throwIfAborted();
      // Its digests have just been taken from what was read back.
      await this.#remember(record, manifest, await this.#signature(record, manifest));
      replaced = store.publish(id, bytes, isTemplate ? name : undefined);
    } catch (error) {
      // Should this fail too, the next start repeats it.
      await this.#drop(id).catch((failure) =>
        log.error("a checkpoint that failed is not removed", {
          checkpoint: id,
          error: String(failure),
        })
      );
      if (signal.aborted) throw new PaddockError("ABORTED", { cause: error });
      throw PaddockError.from(error, "CHECKPOINT_FAILED");
    }
    const published = store.get(id)!;
    if (replaced !== undefined) {
      const old = replaced;
      await this.#forget(old).catch((error) =>
        log.error("a template that was replaced is not removed", {
          checkpoint: old,
          error: String(error),
        })
      );
    }
    return published;
  }

  /** Writes one that was seen to go on when it is restored, and answers what its manifest says of it. */
  async #write(
    sandbox: Checkpointable,
    { id, kind, around }: { id: string; kind: CheckpointKind; around?: AroundStandstill },
    signal: AbortSignal,
  ): Promise<Pick<CheckpointManifest, "token" | "files">> {
    // Of a machine that stands still already every attempt is the same.
    const attempts = kind === "paused" ? 1 : ATTEMPTS;
    const directory = await this.#files.begin(id);
    for (let attempt = 1;; attempt++) {
      const { written } = await beginCheckpoint(sandbox, { directory, around }, signal);
      // A machine that nobody waits for is tried as soon as it can be; another one goes on first.
      if (kind !== "paused") await written;
      const { token } = sandbox.agent;
      const [writing, trying, describing] = await Promise.allSettled([
        written,
        sandbox.tryCheckpoint({ directory, token, written }, signal),
        written.then(() => this.#files.describe(id, signal)),
      ]);
      if (writing.status === "rejected") throw writing.reason;
      if (trying.status === "fulfilled") {
        this.#working(trying.value.ended);
        if (describing.status === "rejected") throw describing.reason;
        return { token, files: describing.value };
      }
      const error = trying.reason;
      // What kept the machine from being restored was under way in it, and is over soon.
      if (attempt === attempts || !isPassingRestoreFailure(error)) {
        throw new PaddockError("CHECKPOINT_FAILED", {
          message: "The checkpoint was written, but no machine goes on from it; the sandbox " +
            `runs on. ${(error as Error).message}`,
          cause: error,
        });
      }
      await Deno.remove(directory, { recursive: true });
      await sleep(BETWEEN_ATTEMPTS_MS, signal);
    }
  }

  async remove(id: string): Promise<void> {
    const { store } = this.#options;
    this.#ready(id);
    // From here on nobody finds it, and its name is free.
    store.update(id, { state: "deleting", name: null });
    await this.#forget(id);
  }

  async isCurrent(id: string, signal: AbortSignal): Promise<boolean> {
    const { driver } = this.#ready(id);
    const manifest = await this.#files.manifest(id).catch(() => undefined);
    if (manifest?.imageDigest !== this.#options.presentImage) return false;
    const version = await this.#options.versionOf(driver, signal).catch(() => undefined);
    return (version ?? null) === manifest.driverVersion;
  }

  /** Of one whose record says that it is being deleted. */
  async #forget(id: string): Promise<void> {
    const used = this.#sources.get(id);
    if (used && used.source.users > 0) used.source.unused = () => this.#drop(id);
    else await this.#drop(id);
    this.#options.forgotten(id);
  }

  /** What a sandbox is restored from. It is checked before, and the caller counts as a user until then. */
  async use(
    id: string,
    organizationId: string,
    signal: AbortSignal,
  ): Promise<{ record: StoredCheckpoint; source: RestoreSource; release(): Promise<void> }> {
    const record = this.#ready(id);
    // The server looks ids up by organisation; that they are its own is looked at here all the same.
    if (record.organizationId !== organizationId) throw new PaddockError("CHECKPOINT_NOT_FOUND");
    const manifest = await this.#manifest(record);
    await this.#refuseForeign(record, manifest, signal);
    const signature = await this.#signature(record, manifest);
    if (this.#sources.get(id)?.signature !== signature) {
      const directory = this.#files.machine(id);
      const damage = await findDamage(directory, manifest.files, signal);
      if (damage !== undefined) throw this.#damaged(record, damage);
      await this.#remember(record, manifest, signature);
    }
    // It may have been deleted meanwhile.
    this.#ready(id);
    const { source } = this.#sources.get(id)!;
    source.users++;
    return {
      ...{ record, source },
      release: async () => {
        if (--source.users === 0) await source.unused?.();
      },
    };
  }

  /** The files are what the manifest says, and are taken to be until their signature is another. */
  async #remember(
    { id, kind, organizationId }: StoredCheckpoint,
    { token, imageDigest }: CheckpointManifest,
    signature: string,
  ): Promise<void> {
    const image = await this.#options.image(imageDigest);
    if (!image) throw new Error(`the image ${imageDigest} is gone`);
    // Users of what another creation has verified meanwhile, or before, are users of the same files.
    const source: RestoreSource = this.#sources.get(id)?.source ?? {
      ...{ directory: this.#files.machine(id), token, image, users: 0 },
      ...(kind === "template" && {
        stock: { id, use: (signal: AbortSignal) => this.use(id, organizationId, signal) },
      }),
    };
    this.#sources.set(id, { signature, source });
  }

  async #drop(id: string): Promise<void> {
    this.#sources.delete(id);
    await this.#files.remove(id);
    this.#options.store.remove(id);
  }

  async #manifest(record: StoredCheckpoint): Promise<CheckpointManifest> {
    try {
      return await this.#files.manifest(record.id);
    } catch (error) {
      throw this.#damaged(record, `its description cannot be read: ${(error as Error).message}`);
    }
  }

  async #signature(record: StoredCheckpoint, { files }: CheckpointManifest): Promise<string> {
    try {
      return await this.#files.signature(record.id, files);
    } catch (error) {
      throw this.#damaged(record, (error as Error).message);
    }
  }

  async #refuseForeign(
    record: StoredCheckpoint,
    { driverVersion, imageDigest }: CheckpointManifest,
    signal: AbortSignal,
  ): Promise<void> {
    const { driver } = record;
    const { what, hint } = wordsFor(record);
    const version = await this.#options.versionOf(driver, signal) ?? null;
    if (version !== driverVersion) {
      throw new PaddockError("CHECKPOINT_UNUSABLE", {
        message: `The ${what} was made by ${driver} ${driverVersion}, and this host has ` +
          `${version}: only the same version can restore it.`,
        hint,
      });
    }
    if (!await this.#options.image(imageDigest)) {
      throw new PaddockError("CHECKPOINT_UNUSABLE", {
        message: `The guest image of the ${what}, ${imageDigest}, is not on this host any more.`,
        hint,
      });
    }
  }

  #damaged(record: StoredCheckpoint, damage: string): PaddockError {
    this.#options.log.error("a checkpoint is damaged", { checkpoint: record.id, damage });
    const { what, hint } = wordsFor(record);
    return new PaddockError("CHECKPOINT_DAMAGED", {
      message: `The ${what}'s files are not what was written: it is not restored.`,
      hint,
      cause: new Error(damage),
    });
  }

  #ready(id: string): StoredCheckpoint {
    const record = this.#options.store.get(id);
    if (record?.state !== "ready") throw new PaddockError("CHECKPOINT_NOT_FOUND");
    return record;
  }
}

function wordsFor({ definition }: StoredCheckpoint): { what: string; hint?: string } {
  return definition === null
    ? { what: "checkpoint" }
    : { what: "template", hint: "Build it again, with `paddock template build --force`." };
}

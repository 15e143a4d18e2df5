import { join } from "node:path";
import { buildBaseTree } from "./base_tree.ts";
import { type GuestFile, readGuestFiles, writeGuestFiles } from "./guest_files.ts";
import { findHostPrograms } from "./host_programs.ts";
import { hostTrustEnv, readHostBundle, writeHostTrust } from "./host_trust.ts";
import { ImageBuildError } from "./image_build_error.ts";
import {
  type BaseInputs,
  baseInputs,
  digestOf,
  type ImageInputs,
  imageInputs,
  type Trust,
} from "./image_inputs.ts";
import { lockImages } from "./image_lock.ts";
import {
  completeEntry,
  defaultDataDir,
  type ImageStore,
  imageStore,
  newEntry,
  readManifest,
  removeHalfBuilt,
} from "./image_store.ts";
import { noteUse } from "./image_users.ts";
import { pruneImages } from "./prune_images.ts";
import { runChild } from "./run_child.ts";
import { treeSize } from "./tree_size.ts";

export interface ImageProgress {
  /** 0 to 100, of the whole build. */
  percent: number;
  what: string;
}

export interface EnsureImageOptions {
  dataDir: string;
  /** Whose certificate authorities the guest trusts; "host" when not given. */
  trust?: Trust;
  /** Another Debian mirror than mmdebstrap's own choice; `PADDOCK_DEBIAN_MIRROR` when not given. */
  mirror?: string;
  /** How long one build may take; 20 minutes when not given. */
  timeoutMs?: number;
  signal?: AbortSignal;
  onProgress?: (progress: ImageProgress) => void;
  /** The files of ours in the guest; those of packages/agent when not given. */
  files?: GuestFile[];
}

export interface ImageManifest {
  digest: string;
  /** The digest of the base tree, shared by images that differ in our own files only. */
  base: string;
  inputs: ImageInputs & { baseInputs: BaseInputs };
  /** What the agent's environment needs because of how the image was made. */
  env: Record<string, string>;
  sizes: { bytes: number; files: number };
  createdAt: string;
}

export interface GuestImage {
  digest: string;
  rootfs: string;
  manifest: ImageManifest;
}

const defaultTimeoutMs = 20 * 60 * 1000;

/**
 * The guest image for the present inputs: found in the data directory or the host's default one, or
 * built. A build happens in a directory of its own and appears, complete, by one rename.
 */
export async function ensureImage(options: EnsureImageOptions): Promise<GuestImage> {
  const { timeoutMs = defaultTimeoutMs, signal } = options;
  const wanted = await wantedImage(options);
  const { programs, mirror, files, hostBundle, base, baseDigest, inputs, digest, stores } = wanted;
  const found = await findImage(stores, digest);
  if (found) return found;

  const store = stores[0];
  const report = (percent: number, what: string) => options.onProgress?.({ percent, what });
  await prepareStore(store);
  await using _lock = await lockImages(store.lockPath, {
    signal,
    timeoutMs,
    onWait: () => report(0, "waiting for another process that builds the image"),
  });
  const builtMeanwhile = await findImage(stores, digest);
  if (builtMeanwhile) return builtMeanwhile;
  await removeHalfBuilt(store);

  let basePlace = await findBase(stores, baseDigest);
  if (!basePlace) {
    basePlace = store.base(baseDigest);
    await using entry = await temporaryEntry(store);
    await buildBaseTree({
      into: join(entry.path, "rootfs"),
      programs,
      mirror,
      timeoutMs,
      signal,
      onProgress: (percent, what) => report(Math.round(percent * 0.9), what),
    });
    await writeManifest(entry.path, {
      digest: baseDigest,
      inputs: base,
      createdAt: new Date().toISOString(),
    });
    await completeEntry(entry.path, basePlace);
  }

  report(92, "adding the agent");
  await using entry = await temporaryEntry(store);
  const rootfs = join(entry.path, "rootfs");
  await copyTree(join(basePlace, "rootfs"), rootfs, signal);
  await writeGuestFiles(rootfs, files);
  if (hostBundle !== undefined) await writeHostTrust(rootfs, hostBundle);
  const manifest: ImageManifest = {
    digest,
    base: baseDigest,
    inputs: { ...inputs, baseInputs: base },
    env: hostBundle === undefined ? {} : hostTrustEnv,
    sizes: await treeSize(rootfs),
    createdAt: new Date().toISOString(),
  };
  await writeManifest(entry.path, manifest);
  await completeEntry(entry.path, store.image(digest));
  const image = await findImage([store], digest);
  if (!image) throw new ImageBuildError(`${store.image(digest)} was removed as it was built`);
  await pruneImages(store, digest);
  report(100, "the guest image is ready");
  return image;
}

/** Whether `ensureImage` would have nothing to build; for `paddock doctor`, which changes nothing. */
export async function imageIsBuilt(
  options: Pick<EnsureImageOptions, "dataDir" | "trust" | "mirror" | "files">,
): Promise<{ digest: string; built: boolean }> {
  const { digest, stores } = await wantedImage(options);
  for (const store of stores) {
    if (await readManifest(store.image(digest))) return { digest, built: true };
  }
  return { digest, built: false };
}

async function wantedImage(
  options: Pick<EnsureImageOptions, "dataDir" | "trust" | "mirror" | "files">,
) {
  const { trust = "host" } = options;
  const mirror = options.mirror ?? (Deno.env.get("PADDOCK_DEBIAN_MIRROR") || undefined);
  const programs = await findHostPrograms();
  const files = options.files ?? await readGuestFiles();
  const hostBundle = trust === "host" ? await readHostBundle() : undefined;
  const base = baseInputs(programs, mirror);
  const baseDigest = digestOf(base);
  const inputs = imageInputs(baseDigest, trust, hostBundle, files);
  const stores = [...new Set([options.dataDir, defaultDataDir])].map(imageStore);
  const digest = digestOf(inputs);
  return { programs, mirror, files, hostBundle, base, baseDigest, inputs, digest, stores };
}

/** An image that was built here at some time, in the data directory or the host's default one. */
export async function findBuiltImage(
  dataDir: string,
  digest: string,
): Promise<GuestImage | undefined> {
  return await findImage([...new Set([dataDir, defaultDataDir])].map(imageStore), digest);
}

async function findImage(stores: ImageStore[], digest: string): Promise<GuestImage | undefined> {
  for (const store of stores) {
    const entry = store.image(digest);
    const manifest = await readManifest<ImageManifest>(entry);
    if (!manifest) continue;
    await noteUse(entry);
    return { digest, rootfs: join(entry, "rootfs"), manifest };
  }
}

async function findBase(stores: ImageStore[], digest: string): Promise<string | undefined> {
  for (const store of stores) {
    if (await readManifest(store.base(digest))) return store.base(digest);
  }
}

async function prepareStore(store: ImageStore): Promise<void> {
  if (Deno.uid() !== 0) throw new ImageBuildError("building it needs root");
  try {
    // A tree of another system holds setuid programs: nobody else on this host may reach them.
    await Deno.mkdir(store.baseDir, { recursive: true, mode: 0o700 });
    await Deno.chmod(store.dir, 0o700);
  } catch (cause) {
    throw new ImageBuildError(`${store.dir} cannot be made: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** A directory that is removed again unless it was completed, which moves it away. */
async function temporaryEntry(store: ImageStore): Promise<AsyncDisposable & { path: string }> {
  const path = await newEntry(store);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await Deno.remove(path, { recursive: true }).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    },
  };
}

async function writeManifest(entry: string, manifest: unknown): Promise<void> {
  await Deno.writeTextFile(join(entry, "manifest.json"), JSON.stringify(manifest, null, 2) + "\n");
}

/** Hard links where both trees are on one filesystem, a real copy elsewhere. */
async function copyTree(from: string, to: string, signal?: AbortSignal): Promise<void> {
  const linkable = (await Deno.stat(from)).dev === (await Deno.stat(join(to, ".."))).dev;
  await runChild(["cp", linkable ? "-al" : "-a", from, to], { timeoutMs: 5 * 60_000, signal });
}

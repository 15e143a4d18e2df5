import { dirname, join } from "node:path";

/**
 * The folder of one data directory that holds images:
 *
 *     images/<digest>/rootfs, manifest.json, users/<pid>-<start time>
 *     images/.base/<digest>/rootfs, manifest.json
 *     images/.tmp-<random>/     half-built, removed by the next builder
 *     images/.lock              held (flock) while something is built or pruned
 */
export interface ImageStore {
  readonly dir: string;
  readonly baseDir: string;
  image(digest: string): string;
  base(digest: string): string;
  lockPath: string;
}

export const defaultDataDir = "/var/lib/paddock";

export function imageStore(dataDir: string): ImageStore {
  const dir = join(dataDir, "images");
  return {
    dir,
    baseDir: join(dir, ".base"),
    image: (digest) => join(dir, digest),
    base: (digest) => join(dir, ".base", digest),
    lockPath: join(dir, ".lock"),
  };
}

/** The manifest of a complete entry, or undefined. An entry is complete because it has its name. */
export async function readManifest<T>(entry: string): Promise<T | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(join(entry, "manifest.json"))) as T;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A fresh directory beside the final places, so that completing an entry is one rename. */
export async function newEntry(store: Pick<ImageStore, "dir">): Promise<string> {
  return await Deno.makeTempDir({ dir: store.dir, prefix: ".tmp-" });
}

/** Puts a finished entry in its place: from here on it exists, whole. */
export async function completeEntry(entry: string, place: string): Promise<void> {
  await Deno.chmod(entry, 0o755);
  await Deno.mkdir(dirname(place), { recursive: true });
  await Deno.rename(entry, place);
}

/** Removes what interrupted builders left. Call it with the lock held. */
export async function removeHalfBuilt(store: Pick<ImageStore, "dir">): Promise<void> {
  for await (const entry of Deno.readDir(store.dir)) {
    if (entry.name.startsWith(".tmp-")) {
      await Deno.remove(join(store.dir, entry.name), { recursive: true });
    }
  }
}

/** Removes an entry so that no reader ever sees half of it: renamed away first, then deleted. */
export async function removeEntry(
  store: Pick<ImageStore, "dir">,
  place: string,
): Promise<void> {
  const trash = join(store.dir, `.tmp-${crypto.randomUUID()}`);
  await Deno.rename(place, trash);
  await Deno.remove(trash, { recursive: true });
}

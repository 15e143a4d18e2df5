import { dirname, join } from "node:path";
import { type ImageStore, readManifest, removeEntry } from "./image_store.ts";
import { isInUse } from "./image_users.ts";

/** How many unused images are kept beside the current one, newest first. */
const keptImages = 2;
/** An image that was used within this time is never pruned. */
const keptForMs = 60 * 60 * 1000;

/** Removes old images that nothing uses. Call it with the lock held. */
export async function pruneImages(store: ImageStore, current: string): Promise<string[]> {
  const images: { digest: string; usedAt: number; base: string }[] = [];
  for await (const { name } of Deno.readDir(store.dir)) {
    if (name.startsWith(".")) continue;
    const manifest = await readManifest<{ base: string }>(store.image(name));
    const usedAt = (await Deno.stat(store.image(name))).mtime?.getTime() ?? Date.now();
    if (manifest) images.push({ digest: name, usedAt, base: manifest.base });
  }
  const old = images
    .filter((image) => image.digest !== current)
    .sort((a, b) => b.usedAt - a.usedAt)
    .slice(keptImages);
  const checkpointed = await checkpointedImages(join(dirname(store.dir), "checkpoints"));
  const removed = new Set<string>();
  for (const { digest, usedAt } of old) {
    if (checkpointed.has(digest)) continue;
    if (Date.now() - usedAt < keptForMs || await isInUse(store.image(digest))) continue;
    await removeEntry(store, store.image(digest));
    removed.add(digest);
  }
  const basesInUse = new Set(
    images.filter((image) => !removed.has(image.digest)).map((image) => image.base),
  );
  for await (const { name } of Deno.readDir(store.baseDir)) {
    if (basesInUse.has(name)) continue;
    await removeEntry(store, join(store.baseDir, name));
    removed.add(name);
  }
  return [...removed];
}

/** Digests of the images that checkpoints of this data directory were made with. */
async function checkpointedImages(directory: string): Promise<Set<string>> {
  const digests = new Set<string>();
  try {
    for await (const { name } of Deno.readDir(directory)) {
      const manifest = await Deno.readTextFile(join(directory, name, "checkpoint.json"))
        .catch(() => "{}");
      const { imageDigest } = JSON.parse(manifest);
      if (typeof imageDigest === "string") digests.add(imageDigest);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return digests;
}

import { createHash } from "node:crypto";
import { type PackedTree, packTree } from "./packed_tree.ts";

/** Packed layers that no launch has asked for since are removed when another is packed. */
const KEPT_FOR_MS = 60 * 60_000;
/** The store may hold other things too. */
const PREFIX = "layers-";

/**
 * The host's layers as virtual machines mount them: what is complete in the directory now. An entry
 * appears complete, by a rename, and does not change from then on, so that its name, inode and times
 * stand for what is in it; those with a leading dot are still being made.
 */
export async function layersImage(
  layers: string,
  store: string,
  signal: AbortSignal,
): Promise<PackedTree> {
  const hash = createHash("sha256");
  const names = [...Deno.readDirSync(layers)].map(({ name }) => name)
    .filter((name) => !name.startsWith("."));
  for (const name of names.sort()) {
    const { dev, ino, mode, mtime } = Deno.lstatSync(`${layers}/${name}`);
    hash.update(JSON.stringify([name, dev, ino, mode, mtime?.getTime()]));
  }
  const name = PREFIX + hash.digest("hex").slice(0, 32);
  const packed = await packTree({ source: layers, store, name, exclude: "^\\..*" }, signal);
  const now = new Date();
  await Deno.utime(`${store}/${name}`, now, now);
  await removeUnused(store, name);
  return packed;
}

/** A machine that uses one has its file open; a checkpoint has a link of its own. */
async function removeUnused(store: string, current: string): Promise<void> {
  for await (const { name } of Deno.readDir(store)) {
    if (name === current || !name.startsWith(PREFIX)) continue;
    const { mtime } = await Deno.stat(`${store}/${name}`);
    if (Date.now() - (mtime?.getTime() ?? 0) < KEPT_FOR_MS) continue;
    await Deno.remove(`${store}/${name}`, { recursive: true }).catch(() => {});
  }
}

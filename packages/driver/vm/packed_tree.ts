import { createHash } from "node:crypto";
import { PaddockError } from "@paddock/protocol";
import { abortable } from "../abortable.ts";
import { runCommand } from "../run_command.ts";

/** A directory packed as a read-only erofs filesystem, in a file that never changes. */
export interface PackedTree {
  path: string;
  sha256: string;
  bytes: number;
}

const PACK_DEADLINE_MS = 10 * 60_000;
const TEMPORARY = ".packing-";
const IMAGE = "tree.erofs";
const NOTE = "tree.json";

/** Packings under way in this process, by their place: whoever asks meanwhile waits for the same. */
const underWay = new Map<string, Promise<PackedTree>>();
/** Files whose content has been checked, by what changes with it. */
const checked = new Map<string, Promise<void>>();

export interface PackOptions {
  source: string;
  /** A directory that holds packed trees: each appears in it complete, by one rename. */
  store: string;
  name: string;
  /** Paths below the source that stay out, as a regular expression of mkfs.erofs. */
  exclude?: string;
}

/**
 * The packed form of a directory, made unless it is there. Its content is compared with the digest
 * that was noted when it was made, once in this process for each file.
 */
export async function packTree(options: PackOptions, signal: AbortSignal): Promise<PackedTree> {
  const place = `${options.store}/${options.name}`;
  const found = readNote(place);
  if (found) return await check(found);
  const packing = underWay.get(place) ??
    pack(options, place).finally(() => underWay.delete(place));
  underWay.set(place, packing);
  // Others may wait for the same one: an abort ends the waiting, not the work.
  return await abortable(packing, signal);
}

function readNote(place: string): PackedTree | undefined {
  try {
    const { sha256, bytes } = JSON.parse(Deno.readTextFileSync(`${place}/${NOTE}`));
    return { path: `${place}/${IMAGE}`, sha256, bytes };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function pack(options: PackOptions, place: string): Promise<PackedTree> {
  await Deno.mkdir(options.store, { recursive: true, mode: 0o700 });
  await removeInterrupted(options.store);
  const directory = `${options.store}/${TEMPORARY}${Deno.pid}-${crypto.randomUUID()}`;
  await Deno.mkdir(directory, { mode: 0o755 });
  try {
    // Not compressed: an emulated processor unpacks more slowly than the host reads.
    const made = await runCommand([
      ...["mkfs.erofs", "--quiet"],
      ...(options.exclude === undefined ? [] : [`--exclude-regex=${options.exclude}`]),
      ...[`${directory}/${IMAGE}`, options.source],
    ], { deadlineMs: PACK_DEADLINE_MS });
    if (!made.ok) throw new Error(`mkfs.erofs failed: ${made.stderr || made.stdout}`);
    await Deno.chmod(`${directory}/${IMAGE}`, 0o644);
    const sha256 = await hashFile(`${directory}/${IMAGE}`);
    const { size: bytes } = await Deno.stat(`${directory}/${IMAGE}`);
    await Deno.writeTextFile(`${directory}/${NOTE}`, JSON.stringify({ sha256, bytes }));
    try {
      await Deno.rename(directory, place);
    } catch (error) {
      // Another process was quicker: its tree is as good.
      if (!readNote(place)) throw error;
    }
    return readNote(place)!;
  } catch (cause) {
    const missing = cause instanceof Deno.errors.NotFound;
    throw new PaddockError("DRIVER_FAILED", {
      message: missing
        ? "Virtual machines need mkfs.erofs (Debian: erofs-utils)."
        : `${options.source} could not be packed for virtual machines: ${(cause as Error).message}`,
      cause,
    });
  } finally {
    await Deno.remove(directory, { recursive: true }).catch(() => {});
  }
}

async function check(tree: PackedTree): Promise<PackedTree> {
  const { dev, ino, size, mtime, ctime } = await Deno.stat(tree.path);
  const identity = [tree.path, dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(":");
  let checking = checked.get(identity);
  if (!checking) {
    checking = compare(tree, size);
    checked.set(identity, checking);
    // What failed is looked at again: somebody may have put it right.
    checking.catch(() => checked.delete(identity));
  }
  await checking;
  return tree;
}

async function compare(tree: PackedTree, size: number): Promise<void> {
  const sha256 = size === tree.bytes ? await hashFile(tree.path) : `of ${size} bytes`;
  if (sha256 === tree.sha256) return;
  throw new PaddockError("DRIVER_FAILED", {
    message: `${tree.path} is corrupted: its digest is ${sha256} and should be ${tree.sha256}. ` +
      "Remove the directory that it is in, and it is made anew.",
  });
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const buffer = new Uint8Array(1024 * 1024);
  for (let read = await file.read(buffer); read !== null; read = await file.read(buffer)) {
    hash.update(buffer.subarray(0, read));
  }
  return hash.digest("hex");
}

/** What a process that has ended had begun. */
async function removeInterrupted(store: string): Promise<void> {
  for await (const { name } of Deno.readDir(store)) {
    if (!name.startsWith(TEMPORARY)) continue;
    const pid = name.slice(TEMPORARY.length).split("-")[0];
    const alive = await Deno.stat(`/proc/${pid}`).then(() => true, () => false);
    if (!alive) await Deno.remove(`${store}/${name}`, { recursive: true }).catch(() => {});
  }
}

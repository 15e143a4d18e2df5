import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root, stampsDir } from "./paths.mjs";

/** A hash over files and folders of this checkout: it changes when a name or a byte of them does. */
export async function hashInputs(paths) {
  const hash = createHash("sha256");
  for (const path of paths) await add(hash, path);
  return hash.digest("hex");
}

async function add(hash, path) {
  let names;
  try {
    names = await readdir(join(root, path), { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOENT") return;
    if (error.code !== "ENOTDIR") throw error;
    hash.update(`${path}\0`).update(await readFile(join(root, path))).update("\0");
    return;
  }
  const skipped = new Set(["node_modules", "dist"]);
  for (const entry of names.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!skipped.has(entry.name)) await add(hash, join(path, entry.name));
  }
}

/** Whether a step was last completed with these very inputs. */
export async function isStamped(step, hash) {
  const stamp = await readFile(join(stampsDir, step), "utf8").catch(() => "");
  return stamp.trim() === hash;
}

export async function stamp(step, hash) {
  await mkdir(stampsDir, { recursive: true });
  await writeFile(join(stampsDir, step), `${hash}\n`);
}

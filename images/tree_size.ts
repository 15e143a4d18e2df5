import { join } from "node:path";

/** What a tree holds: the bytes on disk of its files, hard links within it counted once. */
export async function treeSize(root: string): Promise<{ bytes: number; files: number }> {
  const seen = new Set<number>();
  let bytes = 0;
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const entry of Deno.readDir(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory) folders.push(path);
      const { ino, blocks } = await Deno.lstat(path);
      if (ino === null || seen.has(ino)) continue;
      seen.add(ino);
      bytes += (blocks ?? 0) * 512;
    }
  }
  return { bytes, files: seen.size };
}

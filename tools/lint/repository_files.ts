import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TreeFile } from "./tree_rules.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const maxTextBytes = 4 * 1024 * 1024;

/** Every file of this checkout that is committed or could be: what .gitignore leaves. */
export async function repositoryFiles(): Promise<TreeFile[]> {
  const { stdout, success, stderr } = await new Deno.Command("git", {
    args: ["-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const paths = new TextDecoder().decode(stdout).split("\0").filter(Boolean);
  const files = await Promise.all([...new Set(paths)].map(readTreeFile));
  return files.filter((file) => file !== undefined);
}

async function readTreeFile(path: string): Promise<TreeFile | undefined> {
  try {
    const bytes = await Deno.readFile(join(root, path));
    if (bytes.length > maxTextBytes || bytes.subarray(0, 8000).includes(0)) return { path };
    return { path, text: new TextDecoder().decode(bytes) };
  } catch (error) {
    // Deleted, but not yet in the index.
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.IsADirectory) return undefined;
    throw error;
  }
}

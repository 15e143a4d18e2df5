import { join } from "node:path";
import { repositoryRoot } from "../images/repository_root.ts";

/** The documents of this checkout, as paths inside it. */
export async function markdownFiles(): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isFile } of Deno.readDir(repositoryRoot)) {
    if (isFile && name.endsWith(".md")) files.push(name);
  }
  const folders = ["docs", "examples", "packages/sdk"];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    for await (const { name, isDirectory } of Deno.readDir(join(repositoryRoot, folder))) {
      if (isDirectory) folders.push(join(folder, name));
      else if (name.endsWith(".md")) files.push(join(folder, name));
    }
  }
  return files.sort();
}

import { join } from "node:path";
import { repositoryRoot } from "../images/repository_root.ts";

const skipped = new Set(["node_modules", "dist"]);

/** Every file below a folder of this checkout, as a path inside the checkout. */
export async function* walk(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(join(repositoryRoot, folder))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory && !skipped.has(entry.name)) yield* walk(path);
    else if (entry.isFile) yield path;
  }
}

import { below, normalize, parentOf } from "../fs/paths.ts";
import type { Libc } from "../identity/libc.ts";

const FILES = ["deno.json", "deno.jsonc", "package.json"];

/** Tells apart what Deno would take for configuration in a directory, now and at another time. */
export function denoConfiguration(directory: string, libc: Libc | undefined): string {
  const found: string[] = [];
  for (let at = normalize(directory);; at = parentOf(at)) {
    for (const name of FILES) {
      const path = below(at, name);
      // Mostly there is none, which takes an error of Deno's far longer to tell.
      if (libc?.exists(path) === false) continue;
      try {
        const { mtime, ino, size } = Deno.statSync(path);
        found.push(`${path}:${mtime?.getTime()}:${ino}:${size}`);
      } catch {
        // It is gone, or nobody may see it.
      }
    }
    if (at === "/") return found.join("\n");
  }
}

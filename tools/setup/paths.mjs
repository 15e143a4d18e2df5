import { fileURLToPath } from "node:url";
import { join } from "node:path";

/** The root of this checkout. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Deno's binary itself, without the npm package's launcher in between. */
export const denoPath = join(root, "node_modules/@deno/linux-x64-glibc/deno");

/** What setup remembers between runs. */
export const stampsDir = join(root, "node_modules/.paddock");

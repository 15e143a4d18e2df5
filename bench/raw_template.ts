import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { imageRootfs, rawRunsc } from "./raw_runsc.ts";

/** Machines of runsc alone, restored from the server's own template, in the bundle of one of its sandboxes. */
export async function rawTemplate(dataDir: string, sandboxId: string) {
  const sandboxDir = join(dataDir, "sandboxes", sandboxId);
  const templates = join(dataDir, "templates/gvisor");
  const [key] = (await readdir(templates)).filter((name) => !name.startsWith("."));
  const manifest = JSON.parse(await readFile(join(templates, key, "template.json"), "utf8"));
  return await rawRunsc(sandboxDir, await imageRootfs(sandboxDir), {
    directory: join(templates, key, "machine"),
    token: manifest.token,
  });
}

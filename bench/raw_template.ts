import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { imageRootfs, rawRunsc } from "./raw_runsc.ts";

/** Machines of runsc alone, restored from the server's own template, in the bundle of one of its sandboxes. */
export async function rawTemplate(dataDir: string, sandboxId: string) {
  const templates = join(dataDir, "templates/gvisor");
  const [key] = (await readdir(templates)).filter((name) => !name.startsWith("."));
  return await rawFrom(join(templates, key), "template.json", { dataDir, sandboxId });
}

/** The same, restored from a checkpoint that the server keeps. */
export async function rawCheckpoint(dataDir: string, sandboxId: string, checkpointId: string) {
  const directory = join(dataDir, "checkpoints", checkpointId);
  return await rawFrom(directory, "checkpoint.json", { dataDir, sandboxId });
}

async function rawFrom(
  directory: string,
  manifestName: string,
  { dataDir, sandboxId }: { dataDir: string; sandboxId: string },
) {
  const { token } = JSON.parse(await readFile(join(directory, manifestName), "utf8"));
  const sandboxDir = join(dataDir, "sandboxes", sandboxId);
  return await rawRunsc(sandboxDir, await imageRootfs(sandboxDir), {
    directory: join(directory, "machine"),
    token,
  });
}

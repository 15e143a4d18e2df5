import { join } from "node:path";
import { z } from "zod";
import { PaddockError } from "@paddock/protocol";
import { copySparse } from "@paddock/driver/vm";

/** What a checkpoint's directory holds. */
export const CHECKPOINT_FILES = {
  memory: "memory",
  state: "state",
  disk: "disk.ext4",
  layers: "layers.erofs",
  manifest: "manifest.json",
} as const;

const manifestSchema = z.strictObject({
  driver: z.literal("firecracker"),
  /** Of Firecracker, which reads the state files of its own version and some others. */
  version: z.string(),
  memoryBytes: z.int().positive(),
  image: z.string(),
});

export type CheckpointManifest = z.output<typeof manifestSchema>;

export async function writeManifest(
  directory: string,
  manifest: CheckpointManifest,
): Promise<void> {
  await Deno.writeTextFile(
    join(directory, CHECKPOINT_FILES.manifest),
    JSON.stringify(manifest, null, 2) + "\n",
    { mode: 0o600 },
  );
}

export async function readManifest(directory: string): Promise<CheckpointManifest> {
  try {
    const text = await Deno.readTextFile(join(directory, CHECKPOINT_FILES.manifest));
    return manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new PaddockError("RESTORE_FAILED", {
      message: "The checkpoint is not one of the firecracker driver, or is damaged.",
      cause,
    });
  }
}

/**
 * Takes a file that a VMM has written. What lies there is the VMM's choice, and a guest may have
 * taken the VMM over: only a plain file is taken, and it belongs to the host from then on.
 */
export async function takeFile(from: string, to: string, signal: AbortSignal): Promise<void> {
  const found = await Deno.lstat(from);
  if (!found.isFile || found.nlink !== 1) throw new Error(`the VMM left no plain file at ${from}`);
  try {
    await Deno.rename(from, to);
  } catch (error) {
    if ((error as { code?: string }).code !== "EXDEV") throw error;
    await copySparse(from, to, signal);
    await Deno.remove(from);
  }
  await Deno.chown(to, 0, 0);
  // Read by the VMMs that are restored from it; the directory keeps everybody else out.
  await Deno.chmod(to, 0o444);
}

/** The same content under another name, sharing its blocks; false across filesystems. */
export async function linkFile(from: string, to: string): Promise<boolean> {
  try {
    await Deno.link(from, to);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "EXDEV") return false;
    throw error;
  }
}

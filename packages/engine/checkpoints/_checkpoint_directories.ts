import { syncDirectory, syncTree } from "@paddock/driver";
import { type CheckpointFile, describeFiles } from "../checkpoint_files.ts";

const MACHINE = "machine";
const MANIFEST = "checkpoint.json";
const MAKING = ".making-";

/** What is needed of a checkpoint beside its record, and is no other program's business. */
export interface CheckpointManifest {
  /** Of the agent in it. */
  token: string;
  driverVersion: string | null;
  imageDigest: string;
  files: CheckpointFile[];
}

/**
 * The files of a node's checkpoints:
 *
 *     checkpoints/<id>/checkpoint.json, machine/    whole: it got this name when all was on the disk
 *     checkpoints/.making-<id>/                     being made
 */
export class CheckpointDirectories {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  async open(): Promise<void> {
    await Deno.mkdir(this.directory, { recursive: true, mode: 0o700 });
  }

  machine(id: string): string {
    return `${this.directory}/${id}/${MACHINE}`;
  }

  /** Where the machine of a new one is to be written. */
  async begin(id: string): Promise<string> {
    await Deno.mkdir(`${this.directory}/${MAKING}${id}`, { mode: 0o700 });
    return `${this.directory}/${MAKING}${id}/${MACHINE}`;
  }

  /** What was written of a new one's machine, once the disk has it. */
  async describe(id: string, signal: AbortSignal): Promise<CheckpointFile[]> {
    const machine = `${this.directory}/${MAKING}${id}/${MACHINE}`;
    const [files] = await Promise.all([describeFiles(machine, signal), syncTree(machine)]);
    if (files.length === 0) throw new Error("the machine was written to no file");
    return files;
  }

  /** All of it is there: it gets its name, and a crash does not take it away. */
  async publish(id: string, manifest: CheckpointManifest, signal: AbortSignal): Promise<number> {
    const making = `${this.directory}/${MAKING}${id}`;
    const text = JSON.stringify(manifest);
    await Deno.writeTextFile(`${making}/${MANIFEST}`, text, { mode: 0o600 });
    await syncTree(making);
    signal.throwIfAborted();
    await Deno.rename(making, `${this.directory}/${id}`);
    await syncDirectory(this.directory);
    return manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Throws when there is none that makes sense. */
  async manifest(id: string): Promise<CheckpointManifest> {
    return JSON.parse(await Deno.readTextFile(`${this.directory}/${id}/${MANIFEST}`));
  }

  /** When and how large the files were that were last looked at: what changes is looked at again. */
  async signature(id: string, files: CheckpointFile[]): Promise<string> {
    const states = await Promise.all(files.map(async ({ path }) => {
      const { ino, size, mtime } = await Deno.stat(`${this.machine(id)}/${path}`);
      return `${ino} ${size} ${mtime?.getTime()}`;
    }));
    return states.join("\n");
  }

  /** Idempotent. */
  async remove(id: string): Promise<void> {
    for (const name of [`${MAKING}${id}`, id]) {
      await Deno.remove(`${this.directory}/${name}`, { recursive: true }).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
    await syncDirectory(this.directory);
  }

  /** Removes what was being made when an earlier daemon ended, and answers what else is there. */
  async sweep(): Promise<string[]> {
    const whole: string[] = [];
    for await (const { name } of Deno.readDir(this.directory)) {
      if (!name.startsWith(MAKING)) whole.push(name);
      else await Deno.remove(`${this.directory}/${name}`, { recursive: true });
    }
    return whole;
  }
}

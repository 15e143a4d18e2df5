import { isPlainName, type TreeEntry } from "@paddock/protocol";
import { constants } from "node:fs";
import {
  type FileHandle,
  lstat,
  open,
  readlink,
  realpath,
  rename,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join, posix } from "node:path";
import process from "node:process";
import { smallFileBytes } from "./_defaults.ts";
import { SandboxSdkError, UnsafePathError } from "./errors.ts";
import { LocalDirectory } from "./local_directory.ts";
import { TaskPool } from "./task_pool.ts";
import type { TransferMeter } from "./transfer_meter.ts";
import type { DownloadOptions } from "./transfer_types.ts";

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

interface Level {
  directory: LocalDirectory;
  /** Relative to the root. */
  name: string;
}

/** The file whose content is coming. */
interface Incoming {
  /** For messages and progress. */
  name: string;
  mode: number;
  /** Held in memory until it is complete; none for a large file. */
  parts?: Uint8Array[];
  /** Written as it comes: to another name first, except where the target is a device or a pipe. */
  file?: FileHandle;
  written?: string;
  target: string;
  directory: LocalDirectory;
}

export interface LocalTreeSinkOptions {
  /** Path in the sandbox, for messages. */
  source: string;
  target: string;
  /** A lone file may be written where the target, a link, leads. */
  throughLink: boolean;
  outsideLinks: NonNullable<DownloadOptions["outsideLinks"]>;
  meter: TransferMeter;
  pool: TaskPool;
}

/**
 * Writes what a sandbox sends as a tree. The sandbox is not trusted: whatever it names, nothing is
 * written beside the target or through a symbolic link, and a file has its name only when it is whole.
 */
export class LocalTreeSink {
  readonly #options: LocalTreeSinkOptions;
  readonly #levels: Level[] = [];
  #incoming: Incoming | undefined;

  constructor(options: LocalTreeSinkOptions) {
    this.#options = options;
  }

  async entry(entry: TreeEntry): Promise<void> {
    if (entry.type === "up") return await this.#leave();
    const isRoot = this.#levels.length === 0;
    if (!isRoot) checkName(entry.name, this.#shown(""));
    const name = this.#relative(entry.name);
    if (entry.type === "directory") await this.#enter(entry.name, name, entry.mode & 0o777);
    else if (entry.type === "file") await this.#open(entry, name);
    else if (entry.type === "link") await this.#link(entry.name, name, entry.target);
    else {
      throw new SandboxSdkError(
        `${
          this.#shown(entry.name)
        } is no file, directory or symbolic link and cannot be downloaded`,
        { code: "NOT_A_FILE" },
      );
    }
  }

  async content(bytes: Uint8Array): Promise<void> {
    const { parts, file, name } = this.#incoming!;
    if (parts) parts.push(bytes);
    else {
      for (let at = 0; at < bytes.length;) {
        at += (await file!.write(bytes, at, bytes.length - at)).bytesWritten;
      }
    }
    this.#options.meter.bytes(name, bytes.length);
  }

  async fileEnd(): Promise<void> {
    const incoming = this.#incoming!;
    const { name, mode, parts, file, written, target, directory } = incoming;
    const { pool, meter } = this.#options;
    if (parts) {
      this.#incoming = undefined;
      await pool.run(async () => {
        try {
          await writeSmall(target, parts, mode);
          meter.entry(name);
        } finally {
          await directory.release();
        }
      });
      return;
    }
    if (written !== undefined) {
      await file!.chmod(mode);
      await rename(written, target);
    }
    this.#incoming = undefined;
    await file!.close();
    await directory.release();
    meter.entry(name);
  }

  /** Everything has come: waits for what is still being written. */
  async finish(): Promise<void> {
    await this.#options.pool.finish();
  }

  /** Removes what is not complete, and closes what is open. */
  async abandon(error: unknown): Promise<void> {
    await this.#options.pool.stop(error);
    const incoming = this.#incoming;
    this.#incoming = undefined;
    await incoming?.file?.close();
    if (incoming?.written !== undefined) await unlink(incoming.written).catch(() => {});
    await incoming?.directory.release();
    while (this.#levels.length > 0) await this.#leave();
  }

  async #enter(entryName: string, name: string, mode: number): Promise<void> {
    const parent = await this.#parent();
    const own = this.#levels.length === 0 ? basename(this.#options.target) : entryName;
    const { directory, made } = await parent.enterOrMake(own);
    directory.onceLeft(async () => {
      try {
        if (made) await directory.chmod(mode);
      } finally {
        await parent.release();
      }
    });
    this.#levels.push({ directory, name });
    this.#options.meter.entry(name);
  }

  async #leave(): Promise<void> {
    await this.#levels.pop()!.directory.release();
  }

  async #open(entry: TreeEntry & { type: "file" }, name: string): Promise<void> {
    const mode = entry.mode & 0o777;
    const place = this.#levels.length === 0
      ? await placeOf(this.#options.target, this.#options.throughLink)
      : { directory: this.#levels.at(-1)!.directory.use(), name: entry.name, special: false };
    const { directory } = place;
    const target = directory.at(place.name);
    const incoming: Incoming = { name, mode, target, directory };
    this.#incoming = incoming;
    if (place.special) incoming.file = await open(target, O_WRONLY);
    else if (entry.size <= smallFileBytes) incoming.parts = [];
    else {
      const written = directory.at(`.paddock-${crypto.randomUUID()}`);
      incoming.file = await open(written, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      incoming.written = written;
    }
  }

  async #link(entryName: string, name: string, pointsTo: string): Promise<void> {
    const { outsideLinks, meter } = this.#options;
    const level = this.#levels.at(-1);
    // A link that is all there is has nothing within, and beside it is the caller's.
    if (outsideLinks !== "keep" && (!level || leavesRoot(pointsTo, name))) {
      if (outsideLinks === "skip") return;
      const shown = this.#shown(entryName);
      throw new UnsafePathError(
        shown,
        `${shown} is a symbolic link to ${JSON.stringify(pointsTo)}, outside of what is downloaded`,
        'pass { outsideLinks: "skip" } to leave such links out, or "keep" to have them as they are',
      );
    }
    const target = level ? level.directory.at(entryName) : this.#options.target;
    try {
      await symlink(pointsTo, target);
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
      if ((await lstat(target)).isSymbolicLink() && await readlink(target) === pointsTo) return;
      await unlink(target);
      await symlink(pointsTo, target);
    }
    meter.entry(name);
  }

  /** The directory that is being filled, kept open for the caller. */
  async #parent(): Promise<LocalDirectory> {
    const level = this.#levels.at(-1);
    if (level) return level.directory.use();
    return await LocalDirectory.open(dirname(this.#options.target));
  }

  #relative(entryName: string): string {
    const level = this.#levels.at(-1);
    return !level || level.name === "" ? entryName : `${level.name}/${entryName}`;
  }

  #shown(entryName: string): string {
    return posix.join(this.#options.source, this.#relative(entryName));
  }
}

/** Where a lone file is written; the path that the caller gave may be a link or a device. */
async function placeOf(
  path: string,
  throughLink: boolean,
): Promise<{ directory: LocalDirectory; name: string; special: boolean }> {
  let real = path;
  let special = false;
  try {
    if (throughLink) {
      special = !(await stat(path)).isFile();
      real = await realpath(path);
    }
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
  const directory = await LocalDirectory.open(dirname(real));
  return { directory, name: basename(real), special };
}

/** Writes a file that is there as a whole: a new one at once, one that replaces another beside it first. */
async function writeSmall(target: string, parts: Uint8Array[], mode: number): Promise<void> {
  const content = parts.length === 1 ? parts[0] : concatenated(parts);
  let written = target;
  try {
    await writeNew(target, content, mode);
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
    written = join(dirname(target), `.paddock-${crypto.randomUUID()}`);
    await writeNew(written, content, mode);
  }
  if (written === target) return;
  try {
    await rename(written, target);
  } catch (error) {
    await unlink(written).catch(() => {});
    throw error;
  }
}

async function writeNew(path: string, content: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    await writeFile(file, content);
    await file.chmod(mode);
  } catch (error) {
    await unlink(path).catch(() => {});
    throw error;
  } finally {
    await file.close();
  }
}

function concatenated(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Whether a link at `name`, relative to the root of the download, points outside of that root. */
export function leavesRoot(pointsTo: string, name: string): boolean {
  if (posix.isAbsolute(pointsTo)) return true;
  // Going up from a name means going up from wherever that name leads, if it is a link itself.
  const steps = pointsTo.split("/").filter((step) => step !== "" && step !== ".");
  if (steps.some((step, index) => step === ".." && index > 0 && steps[index - 1] !== "..")) {
    return true;
  }
  const resolved = posix.normalize(posix.join(posix.dirname(name), pointsTo));
  return resolved === ".." || resolved.startsWith("../");
}

/** A name in a directory is one name: the sandbox may say otherwise. */
export function checkName(name: string, directory: string): void {
  // Windows knows more ways out of a directory.
  const foreign = process.platform === "win32" && /[\\:]/.test(name);
  if (isPlainName(name) && !foreign) return;
  throw new UnsafePathError(
    name,
    `the sandbox lists ${JSON.stringify(name)} in ${directory}: no name for a file here`,
  );
}

import { constants } from "node:fs";
import { chmod, lstat, mkdir, open, readlink, stat, symlink, unlink } from "node:fs/promises";
import { basename, join as joinLocal, posix } from "node:path";
import { transfersAtOnce } from "./_defaults.ts";
import { SandboxSdkError, UnsafePathError } from "./errors.ts";
import type { FileInfo, SandboxFs } from "./fs_types.ts";
import { TaskPool } from "./task_pool.ts";
import { TransferMeter } from "./transfer_meter.ts";
import type { DownloadOptions } from "./transfer_types.ts";

/** Opens a file of the sandbox as a stream; `size` is what it had when it was looked at. */
type OpenRead = (
  path: string,
  size: number,
  signal: AbortSignal,
) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;

/** Copies what is at `sandboxPath` to this machine, like `cp -r`. */
export async function download(
  fs: SandboxFs,
  openRead: OpenRead,
  sandboxPath: string,
  localPath: string,
  options: DownloadOptions = {},
): Promise<void> {
  const source = await fs.stat(sandboxPath);
  let target = localPath;
  if (await isLocalDirectory(localPath)) {
    // `.` and the like have a name only the sandbox knows.
    const named = basename(sandboxPath);
    const name = /^\.{0,2}$/.test(named) ? basename(await fs.realPath(sandboxPath)) : named;
    checkName(name, sandboxPath);
    target = joinLocal(localPath, name);
  }
  await new Download(fs, openRead, options).run(sandboxPath, target, source);
}

class Download {
  readonly #fs: SandboxFs;
  readonly #openRead: OpenRead;
  readonly #meter: TransferMeter;
  readonly #outsideLinks: NonNullable<DownloadOptions["outsideLinks"]>;
  readonly #pool = new TaskPool(transfersAtOnce);
  readonly #signal: AbortSignal;
  readonly #directoryModes: [path: string, mode: number][] = [];

  constructor(fs: SandboxFs, openRead: OpenRead, options: DownloadOptions) {
    this.#fs = fs;
    this.#openRead = openRead;
    this.#meter = new TransferMeter(options.onProgress);
    this.#outsideLinks = options.outsideLinks ?? "refuse";
    this.#signal = options.signal
      ? AbortSignal.any([options.signal, this.#pool.signal])
      : this.#pool.signal;
  }

  async run(path: string, target: string, info: FileInfo): Promise<void> {
    try {
      await this.#entry(path, target, "", info);
      await this.#pool.finish();
      // Last and from the inside out: a directory may forbid what filling it takes.
      for (const [directory, mode] of this.#directoryModes.reverse()) await chmod(directory, mode);
    } catch (error) {
      await this.#pool.stop(error);
      throw error;
    }
  }

  async #entry(path: string, target: string, name: string, info: FileInfo): Promise<void> {
    if (info.isDirectory) await this.#directory(path, target, name, info);
    else if (info.isFile) await this.#file(path, target, name, info);
    else if (info.isSymlink) await this.#link(path, target, name);
    else {
      throw new SandboxSdkError(
        `${path} is no file, directory or symbolic link and cannot be downloaded`,
        { code: "NOT_A_FILE" },
      );
    }
  }

  async #directory(path: string, target: string, name: string, info: FileInfo): Promise<void> {
    await makeOwnDirectory(path, target);
    this.#directoryModes.push([target, info.mode & 0o777]);
    this.#meter.entry(name);
    for await (const entry of this.#fs.readDir(path)) {
      this.#signal.throwIfAborted();
      checkName(entry.name, path);
      const from = posix.join(path, entry.name);
      const to = joinLocal(target, entry.name);
      const below = name === "" ? entry.name : `${name}/${entry.name}`;
      const work = async () => {
        const found = await this.#fs.lstat(from);
        if (found.isDirectory !== entry.isDirectory) {
          throw new UnsafePathError(from, `${from} changed while it was being downloaded`);
        }
        await this.#entry(from, to, below, found);
      };
      // One directory after the other: what goes on at once is files.
      if (entry.isDirectory) await work();
      else await this.#pool.run(work);
    }
  }

  async #file(path: string, target: string, name: string, info: FileInfo): Promise<void> {
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    let file;
    try {
      // Not through a link, not even one that this download has just made; a path that the caller
      // gave is the caller's business.
      const noFollow = name === "" ? 0 : O_NOFOLLOW;
      file = await open(target, O_WRONLY | O_CREAT | O_TRUNC | noFollow, info.mode & 0o777);
    } catch (error) {
      if ((error as { code?: string }).code !== "ELOOP") throw error;
      throw new UnsafePathError(
        path,
        `${path}: ${target} is a symbolic link; nothing is written through it`,
      );
    }
    try {
      const stream = await this.#openRead(path, info.size, this.#signal);
      const reader = stream.getReader();
      try {
        while (true) {
          const { value, done } = await reader.read();
          if (done) break;
          await writeAll(file, value);
          this.#meter.bytes(name, value.length);
        }
      } catch (error) {
        reader.cancel(error).catch(() => {});
        throw error;
      }
      await file.chmod(info.mode & 0o777);
    } finally {
      await file.close();
    }
    this.#meter.entry(name);
  }

  async #link(path: string, target: string, name: string): Promise<void> {
    const pointsTo = await this.#fs.readLink(path);
    if (this.#outsideLinks !== "keep" && leavesRoot(pointsTo, name)) {
      if (this.#outsideLinks === "skip") return;
      throw new UnsafePathError(
        path,
        `${path} is a symbolic link to ${JSON.stringify(pointsTo)}, outside of what is downloaded`,
        'pass { outsideLinks: "skip" } to leave such links out, or "keep" to have them as they are',
      );
    }
    try {
      await symlink(pointsTo, target);
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
      if ((await lstat(target)).isSymbolicLink() && await readlink(target) === pointsTo) return;
      await unlink(target);
      await symlink(pointsTo, target);
    }
    this.#meter.entry(name);
  }
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
  if (name !== "" && name !== "." && name !== ".." && !/[\/\0]/.test(name)) return;
  throw new UnsafePathError(
    name,
    `the sandbox lists ${JSON.stringify(name)} in ${directory}: no name for a file here`,
  );
}

async function makeOwnDirectory(path: string, target: string): Promise<void> {
  try {
    await mkdir(target, { mode: 0o700 });
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "EEXIST") throw error;
    if ((await lstat(target)).isDirectory()) return;
    throw new UnsafePathError(
      path,
      `${path}: ${target} exists and is no directory; nothing is written there`,
    );
  }
}

async function isLocalDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return false;
    throw error;
  }
}

async function writeAll(
  file: { write(data: Uint8Array, at: number, length: number): Promise<{ bytesWritten: number }> },
  data: Uint8Array,
): Promise<void> {
  for (let at = 0; at < data.length;) {
    at += (await file.write(data, at, data.length - at)).bytesWritten;
  }
}

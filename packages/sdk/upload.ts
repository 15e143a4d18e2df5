import { type FileHandle, lstat, open, readdir, readlink, stat } from "node:fs/promises";
import { basename, join as joinLocal, resolve } from "node:path";
import { posix } from "node:path";
import { inlineBytes, localChunkBytes, transfersAtOnce } from "./_defaults.ts";
import { SandboxSdkError } from "./errors.ts";
import type { SandboxFs } from "./fs_types.ts";
import { TaskPool } from "./task_pool.ts";
import { TransferMeter } from "./transfer_meter.ts";
import type { UploadOptions } from "./transfer_types.ts";

/** Copies what is at `localPath` into the sandbox, like `cp -r`. */
export async function upload(
  fs: SandboxFs,
  localPath: string,
  sandboxPath: string,
  options: UploadOptions = {},
): Promise<void> {
  const work = new Upload(fs, options);
  const source = await stat(localPath);
  const target = await work.isDirectory(sandboxPath)
    ? posix.join(sandboxPath, basename(resolve(localPath)))
    : sandboxPath;
  await work.run(localPath, target, source);
}

type Stats = Awaited<ReturnType<typeof lstat>>;

class Upload {
  readonly #fs: SandboxFs;
  readonly #meter: TransferMeter;
  readonly #pool = new TaskPool(transfersAtOnce);
  readonly #signal: AbortSignal;
  readonly #directoryModes: [path: string, mode: number][] = [];

  constructor(fs: SandboxFs, options: UploadOptions) {
    this.#fs = fs;
    this.#meter = new TransferMeter(options.onProgress);
    this.#signal = options.signal
      ? AbortSignal.any([options.signal, this.#pool.signal])
      : this.#pool.signal;
  }

  async run(localPath: string, target: string, source: Stats): Promise<void> {
    try {
      await this.#entry(localPath, target, "", source);
      await this.#pool.finish();
      // Last and from the inside out: a directory may forbid what filling it takes.
      for (const [path, mode] of this.#directoryModes.reverse()) {
        await this.#pool.run(() => this.#fs.chmod(path, mode));
      }
      await this.#pool.finish();
    } catch (error) {
      await this.#pool.stop(error);
      throw error;
    }
  }

  async isDirectory(path: string): Promise<boolean> {
    try {
      return (await this.#fs.stat(path)).isDirectory;
    } catch (error) {
      if ((error as { name?: string }).name === "NotFound") return false;
      throw error;
    }
  }

  async #entry(localPath: string, target: string, name: string, stats: Stats): Promise<void> {
    this.#signal.throwIfAborted();
    if (stats.isDirectory()) {
      await this.#directory(localPath, target, name, stats);
    } else if (stats.isFile()) {
      await this.#pool.run(() => this.#file(localPath, target, name));
    } else if (stats.isSymbolicLink()) {
      await this.#pool.run(() => this.#link(localPath, target, name));
    } else {
      throw new SandboxSdkError(
        `${localPath} is no file, directory or symbolic link and cannot be uploaded`,
        { code: "NOT_A_FILE" },
      );
    }
  }

  async #directory(localPath: string, target: string, name: string, stats: Stats): Promise<void> {
    await this.#fs.mkdir(target, { recursive: true });
    this.#directoryModes.push([target, Number(stats.mode) & 0o7777]);
    this.#meter.entry(name);
    for (const entry of await readdir(localPath)) {
      const path = joinLocal(localPath, entry);
      await this.#entry(
        path,
        posix.join(target, entry),
        name === "" ? entry : `${name}/${entry}`,
        await lstat(path),
      );
    }
  }

  async #file(localPath: string, target: string, name: string): Promise<void> {
    const file = await open(localPath, "r");
    try {
      const { mode, size } = await file.stat();
      const permissions = mode & 0o7777;
      const count = (bytes: number) => this.#meter.bytes(name, bytes);
      const content = size <= inlineBytes ? await readSmall(file, count) : readChunks(file, count);
      await this.#fs.writeFile(target, content, { mode: permissions, signal: this.#signal });
      // The mode of a new file is cut by the umask, and that of an existing one stays as it is.
      await this.#fs.chmod(target, permissions);
    } finally {
      await file.close();
    }
    this.#meter.entry(name);
  }

  async #link(localPath: string, target: string, name: string): Promise<void> {
    const pointsTo = await readlink(localPath);
    try {
      await this.#fs.symlink(pointsTo, target);
    } catch (error) {
      if ((error as { name?: string }).name !== "AlreadyExists") throw error;
      await this.#fs.remove(target);
      await this.#fs.symlink(pointsTo, target);
    }
    this.#meter.entry(name);
  }
}

async function readSmall(
  file: FileHandle,
  count: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await file.readFile());
  count(bytes.length);
  return bytes;
}

/** A file as a byte stream that reads straight into its reader's buffers. */
function readChunks(
  file: FileHandle,
  count: (bytes: number) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    type: "bytes",
    async pull(controller: ReadableByteStreamController) {
      const request = controller.byobRequest;
      const view = request?.view;
      const buffer = view
        ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
        : new Uint8Array(localChunkBytes);
      const { bytesRead } = await file.read(buffer, 0, buffer.byteLength);
      count(bytesRead);
      if (bytesRead === 0) {
        controller.close();
        request?.respond(0);
      } else if (request) request.respond(bytesRead);
      else controller.enqueue(buffer.subarray(0, bytesRead) as Uint8Array<ArrayBuffer>);
    },
  });
}

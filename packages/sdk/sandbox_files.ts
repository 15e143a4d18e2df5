import { createFs } from "./fs.ts";
import type { FsFile } from "./fs_file.ts";
import type {
  DirEntry,
  ExpandGlobOptions,
  FileInfo,
  MkdirOptions,
  OpenOptions,
  ReadFileOptions,
  RemoveOptions,
  SandboxFs,
  TempOptions,
  WalkEntry,
  WalkOptions,
  WriteFileOptions,
} from "./fs_types.ts";
import type { Link } from "./link.ts";
import type { DownloadOptions, UploadOptions } from "./transfer_types.ts";

/** The methods of `sandbox.fs`, directly on the sandbox. See `SandboxFs` for what each does. */
export abstract class SandboxFiles {
  readonly #fs: SandboxFs;

  /** @internal */
  constructor(link: Link) {
    this.#fs = createFs(link);
  }

  /** Files of the sandbox. */
  get fs(): SandboxFs {
    return this.#fs;
  }

  readFile(path: string | URL, options?: ReadFileOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.#fs.readFile(path, options);
  }

  readTextFile(path: string | URL, options?: ReadFileOptions): Promise<string> {
    return this.#fs.readTextFile(path, options);
  }

  writeFile(
    path: string | URL,
    data: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
    options?: WriteFileOptions,
  ): Promise<void> {
    return this.#fs.writeFile(path, data, options);
  }

  writeTextFile(
    path: string | URL,
    data: string | ReadableStream<string>,
    options?: WriteFileOptions,
  ): Promise<void> {
    return this.#fs.writeTextFile(path, data, options);
  }

  readDir(path: string | URL): AsyncIterable<DirEntry> {
    return this.#fs.readDir(path);
  }

  mkdir(path: string | URL, options?: MkdirOptions): Promise<void> {
    return this.#fs.mkdir(path, options);
  }

  remove(path: string | URL, options?: RemoveOptions): Promise<void> {
    return this.#fs.remove(path, options);
  }

  rename(oldPath: string | URL, newPath: string | URL): Promise<void> {
    return this.#fs.rename(oldPath, newPath);
  }

  copyFile(fromPath: string | URL, toPath: string | URL): Promise<void> {
    return this.#fs.copyFile(fromPath, toPath);
  }

  stat(path: string | URL): Promise<FileInfo> {
    return this.#fs.stat(path);
  }

  lstat(path: string | URL): Promise<FileInfo> {
    return this.#fs.lstat(path);
  }

  chmod(path: string | URL, mode: number): Promise<void> {
    return this.#fs.chmod(path, mode);
  }

  chown(path: string | URL, uid: number | null, gid: number | null): Promise<void> {
    return this.#fs.chown(path, uid, gid);
  }

  link(target: string | URL, path: string | URL): Promise<void> {
    return this.#fs.link(target, path);
  }

  symlink(
    target: string | URL,
    path: string | URL,
    options?: { type?: "file" | "dir" | "junction" },
  ): Promise<void> {
    return this.#fs.symlink(target, path, options);
  }

  readLink(path: string | URL): Promise<string> {
    return this.#fs.readLink(path);
  }

  realPath(path: string | URL): Promise<string> {
    return this.#fs.realPath(path);
  }

  truncate(path: string | URL, len?: number): Promise<void> {
    return this.#fs.truncate(path, len);
  }

  umask(mask?: number): Promise<number> {
    return this.#fs.umask(mask);
  }

  utime(path: string | URL, atime: number | Date, mtime: number | Date): Promise<void> {
    return this.#fs.utime(path, atime, mtime);
  }

  makeTempDir(options?: TempOptions): Promise<string> {
    return this.#fs.makeTempDir(options);
  }

  makeTempFile(options?: TempOptions): Promise<string> {
    return this.#fs.makeTempFile(options);
  }

  walk(path: string | URL, options?: WalkOptions): AsyncIterableIterator<WalkEntry> {
    return this.#fs.walk(path, options);
  }

  expandGlob(
    glob: string | URL,
    options?: ExpandGlobOptions,
  ): AsyncIterableIterator<WalkEntry> {
    return this.#fs.expandGlob(glob, options);
  }

  create(path: string | URL): Promise<FsFile> {
    return this.#fs.create(path);
  }

  open(path: string | URL, options?: OpenOptions): Promise<FsFile> {
    return this.#fs.open(path, options);
  }

  upload(
    localPath: string | URL,
    sandboxPath: string | URL,
    options?: UploadOptions,
  ): Promise<void> {
    return this.#fs.upload(localPath, sandboxPath, options);
  }

  download(
    sandboxPath: string | URL,
    localPath: string | URL,
    options?: DownloadOptions,
  ): Promise<void> {
    return this.#fs.download(sandboxPath, localPath, options);
  }
}

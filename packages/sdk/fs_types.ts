import type { FsFile } from "./fs_file.ts";
import type { DownloadOptions, UploadOptions } from "./transfer_types.ts";

export interface ReadFileOptions {
  /** Stops reading, here and in the sandbox. */
  signal?: AbortSignal;
}

export interface WriteFileOptions {
  /** Add to the end instead of replacing. Default: `false`. */
  append?: boolean;
  /** Create the file when it is missing. Default: `true`. */
  create?: boolean;
  /** Fail when the file exists. Default: `false`. */
  createNew?: boolean;
  /** Permissions of a file that is created. */
  mode?: number;
  /** Stops writing, here and in the sandbox; the file may be left incomplete. */
  signal?: AbortSignal;
}

export interface MkdirOptions {
  /** Create parents too, and do not mind when it exists. Default: `false`. */
  recursive?: boolean;
  /** Permissions. Default: `0o777` less the umask. */
  mode?: number;
}

export interface RemoveOptions {
  /** Remove a directory with what is in it. Default: `false`. */
  recursive?: boolean;
}

export interface OpenOptions {
  read?: boolean;
  write?: boolean;
  append?: boolean;
  truncate?: boolean;
  create?: boolean;
  createNew?: boolean;
  mode?: number;
}

export interface TempOptions {
  /** Directory to make it in. Default: the sandbox's temporary directory. */
  dir?: string;
  prefix?: string;
  suffix?: string;
}

export interface DirEntry {
  name: string;
  isFile: boolean;
  isDirectory: boolean;
  isSymlink: boolean;
}

/** What is known about a file. Sizes in bytes. */
export interface FileInfo {
  isFile: boolean;
  isDirectory: boolean;
  isSymlink: boolean;
  size: number;
  mtime: Date;
  atime: Date;
  birthtime: Date;
  ctime: Date;
  dev: number;
  ino: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  blksize: number;
  blocks: number;
  isBlockDevice: boolean;
  isCharDevice: boolean;
  isFifo: boolean;
  isSocket: boolean;
}

export interface WalkEntry extends DirEntry {
  path: string;
}

export interface WalkOptions {
  /** Default: no limit. */
  maxDepth?: number;
  /** Default: `true`. */
  includeFiles?: boolean;
  /** Default: `true`. */
  includeDirs?: boolean;
  /** Default: `true`. */
  includeSymlinks?: boolean;
  /** Default: `false`. */
  followSymlinks?: boolean;
  /** With `followSymlinks`: give resolved paths. Default: `true`. */
  canonicalize?: boolean;
  /** Only names that end so. */
  exts?: string[];
  /** Only paths that one of these matches. */
  match?: RegExp[];
  /** No paths, and nothing below them, that one of these matches. */
  skip?: RegExp[];
}

export interface ExpandGlobOptions {
  /** Directory that relative globs start from. Default: `/home/sandbox`. */
  root?: string;
  exclude?: string[];
  /** Default: `true`. */
  includeDirs?: boolean;
  /** Default: `false`. */
  followSymlinks?: boolean;
  canonicalize?: boolean;
  extended?: boolean;
  globstar?: boolean;
  caseInsensitive?: boolean;
}

/**
 * Files of the sandbox. Relative paths start at `/home/sandbox`. Errors have Deno's names and codes:
 * `NotFound` (`ENOENT`), `AlreadyExists` (`EEXIST`), `PermissionDenied` (`EACCES`), `NotADirectory`,
 * `IsADirectory` and so on.
 */
export interface SandboxFs {
  readFile(path: string | URL, options?: ReadFileOptions): Promise<Uint8Array<ArrayBuffer>>;
  readTextFile(path: string | URL, options?: ReadFileOptions): Promise<string>;
  /** Writes bytes, or a stream of them as fast as the sandbox takes it. */
  writeFile(
    path: string | URL,
    data: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
    options?: WriteFileOptions,
  ): Promise<void>;
  writeTextFile(
    path: string | URL,
    data: string | ReadableStream<string>,
    options?: WriteFileOptions,
  ): Promise<void>;
  /** Entries of a directory, in no particular order. */
  readDir(path: string | URL): AsyncIterable<DirEntry>;
  mkdir(path: string | URL, options?: MkdirOptions): Promise<void>;
  remove(path: string | URL, options?: RemoveOptions): Promise<void>;
  rename(oldPath: string | URL, newPath: string | URL): Promise<void>;
  copyFile(fromPath: string | URL, toPath: string | URL): Promise<void>;
  /** Follows symbolic links. */
  stat(path: string | URL): Promise<FileInfo>;
  /** Does not follow a symbolic link. */
  lstat(path: string | URL): Promise<FileInfo>;
  chmod(path: string | URL, mode: number): Promise<void>;
  /** `null`: leave as it is. */
  chown(path: string | URL, uid: number | null, gid: number | null): Promise<void>;
  link(target: string | URL, path: string | URL): Promise<void>;
  symlink(
    target: string | URL,
    path: string | URL,
    options?: { type?: "file" | "dir" | "junction" },
  ): Promise<void>;
  readLink(path: string | URL): Promise<string>;
  realPath(path: string | URL): Promise<string>;
  /** Cuts or extends a file to `len` bytes, 0 by default. */
  truncate(path: string | URL, len?: number): Promise<void>;
  /** Sets the mask for new files when given, and returns the one before. */
  umask(mask?: number): Promise<number>;
  /** Numbers are milliseconds since 1970. */
  utime(path: string | URL, atime: number | Date, mtime: number | Date): Promise<void>;
  makeTempDir(options?: TempOptions): Promise<string>;
  makeTempFile(options?: TempOptions): Promise<string>;
  /** Everything below a directory, the directory itself first. */
  walk(path: string | URL, options?: WalkOptions): AsyncIterableIterator<WalkEntry>;
  /** Everything that matches a glob such as `src/**\/*.ts`. */
  expandGlob(glob: string | URL, options?: ExpandGlobOptions): AsyncIterableIterator<WalkEntry>;
  /** Creates a file, or empties it, and opens it. */
  create(path: string | URL): Promise<FsFile>;
  /** Opens a file. Close it, or use `await using`. */
  open(path: string | URL, options?: OpenOptions): Promise<FsFile>;
  /**
   * Copies a file, directory or symbolic link of this machine into the sandbox, with permissions, as
   * `cp -r` does: into `sandboxPath` when that is a directory, else to it.
   */
  upload(
    localPath: string | URL,
    sandboxPath: string | URL,
    options?: UploadOptions,
  ): Promise<void>;
  /**
   * Copies a file, directory or symbolic link of the sandbox to this machine, as `cp -r` does. The
   * sandbox is not trusted: names that would land outside the target, and by default symbolic links that
   * point outside of it, are refused with `UnsafePathError`.
   */
  download(
    sandboxPath: string | URL,
    localPath: string | URL,
    options?: DownloadOptions,
  ): Promise<void>;
}

import type { Kit } from "./kit.ts";

const path = (k: Kit) => k.object({ path: k.path });
const writeOptions = (k: Kit) =>
  k.optional(k.object({
    append: k.optional(k.boolean),
    create: k.optional(k.boolean),
    createNew: k.optional(k.boolean),
    mode: k.optional(k.mode),
  }));
const tempOptions = (k: Kit) =>
  k.object({
    options: k.optional(k.object({
      dir: k.optional(k.path),
      prefix: k.optional(k.string),
      suffix: k.optional(k.string),
    })),
  });
const fileInfo = (k: Kit) =>
  k.object({
    isFile: k.boolean,
    isDirectory: k.boolean,
    isSymlink: k.boolean,
    size: k.number,
    mtime: k.date,
    atime: k.date,
    birthtime: k.date,
    ctime: k.date,
    mode: k.number,
    dev: k.number,
    ino: k.number,
    nlink: k.number,
    uid: k.number,
    gid: k.number,
    rdev: k.number,
    blksize: k.number,
    blocks: k.number,
    isBlockDevice: k.boolean,
    isCharDevice: k.boolean,
    isFifo: k.boolean,
    isSocket: k.boolean,
  });
const handle = (k: Kit) => k.object({ fileHandleId: k.id });
const stream = (k: Kit) => k.object({ streamId: k.id });

/** Whole files and directories. */
export const fileMethods = {
  readFile: (k: Kit) => ({
    input: k.object({ path: k.path, abortId: k.optional(k.id) }),
    output: k.bytes,
  }),
  readTextFile: (k: Kit) => ({
    input: k.object({ path: k.path, abortId: k.optional(k.id) }),
    output: k.string,
  }),
  writeFile: (k: Kit) => {
    const target = { path: k.path, abortId: k.optional(k.id), options: writeOptions(k) };
    return {
      input: k.either(
        k.object({ ...target, content: k.bytes }),
        k.object({ ...target, contentStreamId: k.id }),
      ),
      output: k.nothing,
    };
  },
  writeTextFile: (k: Kit) => {
    const target = { path: k.path, abortId: k.optional(k.id), options: writeOptions(k) };
    return {
      input: k.either(
        k.object({ ...target, content: k.string }),
        k.object({ ...target, contentStreamId: k.id }),
      ),
      output: k.nothing,
    };
  },
  readDir: (k: Kit) => ({
    input: path(k),
    output: k.list(k.object({
      name: k.string,
      isFile: k.boolean,
      isDirectory: k.boolean,
      isSymlink: k.boolean,
    })),
  }),
  remove: (k: Kit) => ({
    input: k.object({
      path: k.path,
      options: k.optional(k.object({ recursive: k.optional(k.boolean) })),
    }),
    output: k.nothing,
  }),
  mkdir: (k: Kit) => ({
    input: k.object({
      path: k.path,
      options: k.optional(
        k.object({ recursive: k.optional(k.boolean), mode: k.optional(k.mode) }),
      ),
    }),
    output: k.nothing,
  }),
  rename: (k: Kit) => ({
    input: k.object({ oldPath: k.path, newPath: k.path }),
    output: k.nothing,
  }),
  stat: (k: Kit) => ({ input: path(k), output: fileInfo(k) }),
  lstat: (k: Kit) => ({ input: path(k), output: fileInfo(k) }),
  chmod: (k: Kit) => ({
    input: k.object({ path: k.path, mode: k.mode }),
    output: k.nothing,
  }),
  chown: (k: Kit) => ({
    input: k.object({ path: k.path, uid: k.nullable(k.uid), gid: k.nullable(k.uid) }),
    output: k.nothing,
  }),
  copyFile: (k: Kit) => ({
    input: k.object({ fromPath: k.path, toPath: k.path }),
    output: k.nothing,
  }),
  link: (k: Kit) => ({
    input: k.object({ target: k.path, path: k.path }),
    output: k.nothing,
  }),
  symlink: (k: Kit) => ({
    input: k.object({
      target: k.path,
      path: k.path,
      options: k.optional(
        k.object({ type: k.optional(k.oneOf(["file", "dir", "junction"])) }),
      ),
    }),
    output: k.nothing,
  }),
  readLink: (k: Kit) => ({ input: path(k), output: k.string }),
  realPath: (k: Kit) => ({ input: path(k), output: k.string }),
  makeTempDir: (k: Kit) => ({ input: tempOptions(k), output: k.string }),
  makeTempFile: (k: Kit) => ({ input: tempOptions(k), output: k.string }),
  truncate: (k: Kit) => ({
    input: k.renamed(k.object({ name: k.path, length: k.optional(k.count) }), { length: "len" }),
    output: k.nothing,
  }),
  umask: (k: Kit) => ({
    input: k.object({ mask: k.optional(k.mode) }),
    output: k.number,
  }),
  utime: (k: Kit) => ({
    input: k.object({ path: k.path, atime: k.time, mtime: k.time }),
    output: k.nothing,
  }),
  walk: (k: Kit) => ({
    input: k.object({
      path: k.path,
      maxDepth: k.optional(k.number),
      includeFiles: k.optional(k.boolean),
      includeDirs: k.optional(k.boolean),
      includeSymlinks: k.optional(k.boolean),
      followSymlinks: k.optional(k.boolean),
      canonicalize: k.optional(k.boolean),
      exts: k.optional(k.list(k.string)),
      match: k.optional(k.list(k.regexp)),
      skip: k.optional(k.list(k.regexp)),
    }),
    output: stream(k),
  }),
  expandGlob: (k: Kit) => ({
    input: k.object({
      glob: k.path,
      extended: k.optional(k.boolean),
      globstar: k.optional(k.boolean),
      caseInsensitive: k.optional(k.boolean),
      root: k.optional(k.path),
      exclude: k.optional(k.list(k.string)),
      includeDirs: k.optional(k.boolean),
      followSymlinks: k.optional(k.boolean),
      canonicalize: k.optional(k.boolean),
    }),
    output: stream(k),
  }),
  /** A file as a stream, with its size when it was opened. Ours. */
  "paddock.readFileStream": (k: Kit) => ({
    input: k.object({ path: k.path, abortId: k.optional(k.id) }),
    output: k.object({ streamId: k.id, size: k.number }),
  }),
  /** A file, or a directory with all that is in it, as one stream: see `TreeEncoder`. Ours. */
  "paddock.readTree": (k: Kit) => ({
    input: k.object({ path: k.path, abortId: k.optional(k.id) }),
    output: stream(k),
  }),
  /**
   * The way back; answers when everything is written. `throughLink`: the path itself may be a symbolic
   * link, which is followed. Ours.
   */
  "paddock.writeTree": (k: Kit) => ({
    input: k.object({
      path: k.path,
      contentStreamId: k.id,
      throughLink: k.optional(k.boolean),
      abortId: k.optional(k.id),
    }),
    output: k.object({ entries: k.number }),
  }),
};

/** Open files. */
export const handleMethods = {
  open: (k: Kit) => ({
    input: k.object({
      path: k.path,
      options: k.optional(k.object({
        read: k.optional(k.boolean),
        write: k.optional(k.boolean),
        append: k.optional(k.boolean),
        truncate: k.optional(k.boolean),
        create: k.optional(k.boolean),
        createNew: k.optional(k.boolean),
        mode: k.optional(k.mode),
      })),
    }),
    output: handle(k),
  }),
  create: (k: Kit) => ({ input: path(k), output: handle(k) }),
  fileClose: (k: Kit) => ({ input: handle(k), output: k.nothing }),
  fileLock: (k: Kit) => ({
    input: k.object({ fileHandleId: k.id, exclusive: k.optional(k.boolean) }),
    output: k.nothing,
  }),
  fileUnlock: (k: Kit) => ({ input: handle(k), output: k.nothing }),
  /** `data` is null at the end of the file, and may be shorter than `length`. */
  fileRead: (k: Kit) => ({
    input: k.object({ fileHandleId: k.id, length: k.count }),
    output: k.object({ data: k.nullable(k.bytes) }),
  }),
  fileWrite: (k: Kit) => ({
    input: k.object({ fileHandleId: k.id, data: k.bytes }),
    output: k.object({ bytesWritten: k.number }),
  }),
  fileSeek: (k: Kit) => ({
    input: k.object({ fileHandleId: k.id, offset: k.offset, whence: k.whence }),
    output: k.object({ position: k.number }),
  }),
  fileStat: (k: Kit) => ({ input: handle(k), output: fileInfo(k) }),
  fileSync: (k: Kit) => ({ input: handle(k), output: k.nothing }),
  fileSyncData: (k: Kit) => ({ input: handle(k), output: k.nothing }),
  fileTruncate: (k: Kit) => ({
    input: k.object({ fileHandleId: k.id, len: k.optional(k.count) }),
    output: k.nothing,
  }),
  fileUtime: (k: Kit) => ({
    input: k.object({ fileHandleId: k.id, atime: k.time, mtime: k.time }),
    output: k.nothing,
  }),
};

import { inlineBytes } from "./_defaults.ts";
import { toPath } from "./_path.ts";
import { abortableStream } from "./abortable_stream.ts";
import { download } from "./download.ts";
import { type FsFile, openedFile } from "./fs_file.ts";
import type { SandboxFs, WalkEntry, WriteFileOptions } from "./fs_types.ts";
import { parseJsonObjects } from "./json_stream.ts";
import type { Link } from "./link.ts";
import { readAllBytes } from "./read_bytes.ts";
import { upload } from "./upload.ts";

export function createFs(link: Link): SandboxFs {
  const fs: SandboxFs = {
    async readFile(path, { signal } = {}) {
      const { stream, size } = await openRead(link, toPath(path), signal);
      return await readAllBytes(stream, size);
    },

    async readTextFile(path, options) {
      const bytes = await fs.readFile(path, options);
      // A byte order mark is part of the file.
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    },

    async writeFile(path, data, { signal, ...options } = {}) {
      await writeBytes(link, toPath(path), data, options, signal);
    },

    async writeTextFile(path, data, options) {
      const bytes = typeof data === "string"
        ? new TextEncoder().encode(data)
        : data.pipeThrough(new TextEncoderStream());
      await fs.writeFile(path, bytes, options);
    },

    async *readDir(path) {
      yield* await link.call("readDir", { path: toPath(path) });
    },

    mkdir: (path, options) => link.call("mkdir", { path: toPath(path), options }),
    remove: (path, options) => link.call("remove", { path: toPath(path), options }),
    rename: (oldPath, newPath) =>
      link.call("rename", { oldPath: toPath(oldPath), newPath: toPath(newPath) }),
    copyFile: (fromPath, toPath_) =>
      link.call("copyFile", { fromPath: toPath(fromPath), toPath: toPath(toPath_) }),
    stat: (path) => link.call("stat", { path: toPath(path) }),
    lstat: (path) => link.call("lstat", { path: toPath(path) }),
    chmod: (path, mode) => link.call("chmod", { path: toPath(path), mode }),
    chown: (path, uid, gid) => link.call("chown", { path: toPath(path), uid, gid }),
    link: (target, path) => link.call("link", { target: toPath(target), path: toPath(path) }),
    symlink: (target, path, options) =>
      link.call("symlink", { target: toPath(target), path: toPath(path), options }),
    readLink: (path) => link.call("readLink", { path: toPath(path) }),
    realPath: (path) => link.call("realPath", { path: toPath(path) }),
    truncate: (path, length) => link.call("truncate", { name: toPath(path), length }),
    umask: (mask) => link.call("umask", { mask }),
    utime: (path, atime, mtime) =>
      link.call("utime", { path: toPath(path), atime: new Date(atime), mtime: new Date(mtime) }),
    makeTempDir: (options) => link.call("makeTempDir", { options }),
    makeTempFile: (options) => link.call("makeTempFile", { options }),

    async *walk(path, options = {}) {
      const connection = await link.connection();
      const { streamId } = await connection.call("walk", { ...options, path: toPath(path) });
      yield* parseJsonObjects<WalkEntry>(connection.receiveStream(streamId));
    },

    async *expandGlob(glob, options = {}) {
      const connection = await link.connection();
      const { streamId } = await connection.call("expandGlob", { ...options, glob: toPath(glob) });
      yield* parseJsonObjects<WalkEntry>(connection.receiveStream(streamId));
    },

    async create(path) {
      const connection = await link.connection();
      const { fileHandleId } = await connection.call("create", { path: toPath(path) });
      return openedFile(connection, fileHandleId);
    },

    async open(path, options): Promise<FsFile> {
      const connection = await link.connection();
      const { fileHandleId } = await connection.call("open", { path: toPath(path), options });
      return openedFile(connection, fileHandleId);
    },

    upload: (localPath, sandboxPath, options) =>
      upload(
        fs,
        async (target, content, signal) => {
          const connection = await link.connection(signal);
          const contentStreamId = connection.sendStream(content);
          await connection.call("paddock.writeTree", { ...target, contentStreamId }, { signal });
        },
        toPath(localPath),
        toPath(sandboxPath),
        options,
      ),
    download: (sandboxPath, localPath, options) =>
      download(
        fs,
        async (path, signal) => {
          const connection = await link.connection(signal);
          const { streamId } = await connection.call("paddock.readTree", { path }, { signal });
          return abortableStream(connection.receiveStream(streamId), signal);
        },
        toPath(sandboxPath),
        toPath(localPath),
        options,
      ),
  };
  return fs;
}

async function openRead(link: Link, path: string, signal: AbortSignal | undefined) {
  const connection = await link.connection(signal);
  const { streamId, size } = await connection.call("paddock.readFileStream", { path }, { signal });
  const stream = connection.receiveStream(streamId);
  return { stream: abortableStream(stream, signal), size };
}

async function writeBytes(
  link: Link,
  path: string,
  data: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  options: Omit<WriteFileOptions, "signal">,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (data instanceof Uint8Array && data.length <= inlineBytes) {
    await link.call("writeFile", { path, content: data, options }, { signal });
    return;
  }
  const connection = await link.connection(signal);
  const stream = data instanceof Uint8Array ? streamOf(data) : data;
  const contentStreamId = connection.sendStream(stream);
  await connection.call("writeFile", { path, contentStreamId, options }, { signal });
}

function streamOf(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

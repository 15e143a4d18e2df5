import type { LimitValues } from "@paddock/protocol";
import { readBounded, readStream, writeStream } from "../fs/contents.ts";
import { entryStream } from "../fs/entry_stream.ts";
import { expandGlob } from "../fs/expand_glob.ts";
import { completeFileInfo } from "../fs/file_info.ts";
import { below } from "../fs/paths.ts";
import { readTree, writeTree } from "../fs/tree.ts";
import { walk } from "../fs/walk.ts";
import type { Handlers } from "./handlers.ts";

type FileMethod =
  | "readFile"
  | "readTextFile"
  | "writeFile"
  | "writeTextFile"
  | "readDir"
  | "remove"
  | "mkdir"
  | "rename"
  | "stat"
  | "lstat"
  | "chmod"
  | "chown"
  | "copyFile"
  | "link"
  | "symlink"
  | "readLink"
  | "realPath"
  | "makeTempDir"
  | "makeTempFile"
  | "truncate"
  | "umask"
  | "utime"
  | "walk"
  | "expandGlob"
  | "paddock.readFileStream"
  | "paddock.readTree"
  | "paddock.writeTree";

/** Whole files and directories. Paths that are not absolute are below `home`. */
export function fileHandlers(home: string, limits: LimitValues): Pick<Handlers, FileMethod> {
  // An empty path names nothing, as it does for the system, and not the home directory.
  const at = (path: string) => path === "" ? "" : below(home, path);
  const text = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    readFile: ({ path, abortId }, call) =>
      readBounded(at(path), limits.inlineFileBytes, call.signal(abortId)),
    readTextFile: async ({ path, abortId }, call) =>
      text.decode(await readBounded(at(path), limits.inlineFileBytes, call.signal(abortId))),
    "paddock.readFileStream": async ({ path, abortId }, call) => {
      const { stream, size } = await readStream(at(path), call.signal(abortId));
      return { streamId: call.send(stream), size };
    },
    "paddock.readTree": ({ path, abortId }, call) => ({
      streamId: call.send(readTree(at(path), call.signal(abortId))),
    }),
    "paddock.writeTree": async ({ path, contentStreamId, throughLink, abortId }, call) => ({
      entries: await writeTree(
        { path: at(path), throughLink: throughLink ?? false },
        call.claim(contentStreamId),
        call.signal(abortId),
      ),
    }),
    writeFile: async ({ path, abortId, options = {}, ...rest }, call) => {
      const signal = call.signal(abortId);
      if ("contentStreamId" in rest) {
        await writeStream(at(path), call.claim(rest.contentStreamId), options, signal);
      } else {
        await Deno.writeFile(at(path), rest.content, { ...options, signal });
      }
    },
    writeTextFile: async ({ path, abortId, options = {}, ...rest }, call) => {
      const signal = call.signal(abortId);
      if ("contentStreamId" in rest) {
        await writeStream(at(path), call.claim(rest.contentStreamId), options, signal);
      } else {
        await Deno.writeTextFile(at(path), rest.content, { ...options, signal });
      }
    },
    readDir: async ({ path }) => {
      const entries: Deno.DirEntry[] = [];
      for await (const { name, isFile, isDirectory, isSymlink } of Deno.readDir(at(path))) {
        entries.push({ name, isFile, isDirectory, isSymlink });
      }
      return entries;
    },
    remove: async ({ path, options }) => {
      await Deno.remove(at(path), options);
    },
    mkdir: async ({ path, options }) => {
      await Deno.mkdir(at(path), options);
    },
    rename: async ({ oldPath, newPath }) => {
      await Deno.rename(at(oldPath), at(newPath));
    },
    stat: async ({ path }) => completeFileInfo(await Deno.stat(at(path))),
    lstat: async ({ path }) => completeFileInfo(await Deno.lstat(at(path))),
    chmod: async ({ path, mode }) => {
      await Deno.chmod(at(path), mode);
    },
    chown: async ({ path, uid, gid }) => {
      await Deno.chown(at(path), uid, gid);
    },
    copyFile: async ({ fromPath, toPath }) => {
      await Deno.copyFile(at(fromPath), at(toPath));
    },
    link: async ({ target, path }) => {
      await Deno.link(at(target), at(path));
    },
    // What a symbolic link says is kept as it was given.
    symlink: async ({ target, path, options }) => {
      await Deno.symlink(target, at(path), options?.type && { type: options.type });
    },
    readLink: ({ path }) => Deno.readLink(at(path)),
    realPath: ({ path }) => Deno.realPath(at(path)),
    makeTempDir: ({ options }) =>
      Deno.makeTempDir({ ...options, dir: options?.dir === undefined ? "/tmp" : at(options.dir) }),
    makeTempFile: ({ options }) =>
      Deno.makeTempFile({
        ...options,
        dir: options?.dir === undefined ? "/tmp" : at(options.dir),
      }),
    truncate: async ({ name, length }) => {
      await Deno.truncate(at(name), length);
    },
    umask: ({ mask }) => Deno.umask(mask),
    utime: async ({ path, atime, mtime }) => {
      await Deno.utime(at(path), atime, mtime);
    },
    walk: async ({ path, ...options }, call) => {
      await Deno.stat(at(path));
      return { streamId: call.send(entryStream(walk(path, at(path), options))) };
    },
    expandGlob: ({ glob, ...options }, call) => ({
      streamId: call.send(entryStream(expandGlob(glob, home, options))),
    }),
  };
}

import type { LimitValues } from "@paddock/protocol";
import { completeFileInfo } from "../fs/file_info.ts";
import { below } from "../fs/paths.ts";
import type { Handlers } from "./handlers.ts";

type HandleMethod =
  | "open"
  | "create"
  | "fileClose"
  | "fileLock"
  | "fileUnlock"
  | "fileRead"
  | "fileWrite"
  | "fileSeek"
  | "fileStat"
  | "fileSync"
  | "fileSyncData"
  | "fileTruncate"
  | "fileUtime";

/** Open files of the calling connection. */
export function handleHandlers(home: string, limits: LimitValues): Pick<Handlers, HandleMethod> {
  // An empty path names nothing, as it does for the system, and not the home directory.
  const at = (path: string) => path === "" ? "" : below(home, path);
  return {
    open: async ({ path, options }, { files }) => ({
      fileHandleId: await files.open(() => Deno.open(at(path), options)),
    }),
    create: async ({ path }, { files }) => ({
      fileHandleId: await files.open(() => Deno.create(at(path))),
    }),
    fileClose: async ({ fileHandleId }, { files }) => {
      await files.close(fileHandleId);
    },
    fileLock: async ({ fileHandleId, exclusive }, { files }) => {
      await files.get(fileHandleId).lock(exclusive);
    },
    fileUnlock: async ({ fileHandleId }, { files }) => {
      await files.get(fileHandleId).unlock();
    },
    fileRead: async ({ fileHandleId, length }, { files }) => {
      const file = files.get(fileHandleId);
      const buffer = new Uint8Array(Math.min(length, limits.fileReadBytes));
      const read = await file.read(buffer);
      return { data: read === null ? null : buffer.subarray(0, read) };
    },
    fileWrite: async ({ fileHandleId, data }, { files }) => ({
      bytesWritten: await files.get(fileHandleId).write(data),
    }),
    fileSeek: async ({ fileHandleId, offset, whence }, { files }) => ({
      position: await files.get(fileHandleId).seek(offset, whence),
    }),
    fileStat: async ({ fileHandleId }, { files }) =>
      completeFileInfo(await files.get(fileHandleId).stat()),
    fileSync: async ({ fileHandleId }, { files }) => {
      await files.get(fileHandleId).sync();
    },
    fileSyncData: async ({ fileHandleId }, { files }) => {
      await files.get(fileHandleId).syncData();
    },
    fileTruncate: async ({ fileHandleId, len }, { files }) => {
      await files.get(fileHandleId).truncate(len);
    },
    fileUtime: async ({ fileHandleId, atime, mtime }, { files }) => {
      await files.get(fileHandleId).utime(atime, mtime);
    },
  };
}

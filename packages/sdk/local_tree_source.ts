import type { TreeEntry, TreeSource } from "@paddock/protocol";
import { constants, type Dirent } from "node:fs";
import { type FileHandle, open, readlink } from "node:fs/promises";
import { join } from "node:path";
import { filesAhead, smallFileBytes } from "./_defaults.ts";
import { SandboxSdkError, UnsafePathError } from "./errors.ts";
import { LocalDirectory } from "./local_directory.ts";
import type { TransferMeter } from "./transfer_meter.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** An entry with what it takes to send it. */
interface Loaded {
  entry: TreeEntry;
  name: string;
  content?: Uint8Array;
  file?: FileHandle;
  directory?: LocalDirectory;
}

interface Level {
  directory: LocalDirectory;
  /** Relative to the root. */
  name: string;
  entries: Iterator<Dirent>;
  ahead: Promise<Loaded>[];
}

/**
 * Walks a tree of this machine for an upload. Some entries ahead are opened and read at the same time.
 * Links are sent as links: neither one that is there nor one that takes a file's place while it is being
 * looked at leads out of the tree.
 */
export class LocalTreeSource implements TreeSource {
  readonly #root: string;
  readonly #meter: TransferMeter;
  readonly #signal: AbortSignal | undefined;
  readonly #levels: Level[] = [];
  #begun = false;
  #closed = false;
  #current: Loaded | undefined;
  #read = 0;
  /** What went wrong here, if something did: the other side knows it only by hearsay. */
  error: unknown;

  constructor(root: string, meter: TransferMeter, signal?: AbortSignal) {
    this.#root = root;
    this.#meter = meter;
    this.#signal = signal;
  }

  async next(): Promise<TreeEntry | undefined> {
    try {
      this.#signal?.throwIfAborted();
      await this.#finishCurrent();
      if (!this.#begun) {
        this.#begun = true;
        return await this.#start(await this.#loadRoot());
      }
      const level = this.#levels.at(-1);
      if (!level) return undefined;
      this.#lookAhead(level);
      const next = level.ahead.shift();
      if (next) return await this.#start(await next);
      this.#levels.pop();
      await level.directory.release();
      return { type: "up" };
    } catch (error) {
      if (!this.#closed) this.error = error;
      throw error;
    }
  }

  async read(into: Uint8Array): Promise<number> {
    const { entry, content, file, name } = this.#current!;
    const left = entry.type === "file" ? entry.size - this.#read : 0;
    if (left <= 0) return 0;
    try {
      this.#signal?.throwIfAborted();
      let bytes: number;
      if (content) {
        const part = content.subarray(this.#read, this.#read + into.length);
        into.set(part);
        bytes = part.length;
      } else {
        bytes = (await file!.read(into, 0, Math.min(into.length, left))).bytesRead;
      }
      this.#read += bytes;
      this.#meter.bytes(name, bytes);
      return bytes;
    } catch (error) {
      this.error = error;
      throw error;
    }
  }

  /** Closes what is open. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const loaded = this.#levels.flatMap((level) => level.ahead);
    const open = await Promise.allSettled(loaded);
    for (const result of open) {
      if (result.status === "rejected") continue;
      await result.value.file?.close();
      await result.value.directory?.release();
    }
    await this.#current?.file?.close();
    this.#current = undefined;
    for (const { directory } of this.#levels.splice(0)) await directory.release();
  }

  async #finishCurrent(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    if (!current) return;
    await current.file?.close();
    this.#meter.entry(current.name);
  }

  async #start(loaded: Loaded): Promise<TreeEntry> {
    if (this.#closed) {
      await loaded.file?.close();
      await loaded.directory?.release();
      throw new Error("the upload is over");
    }
    this.#current = loaded;
    this.#read = 0;
    if (loaded.directory) {
      // In one order, whatever the filesystem's is: a tree that is the same is sent the same.
      const entries = (await loaded.directory.names()).sort(byName)[Symbol.iterator]();
      this.#levels.push({ directory: loaded.directory, name: loaded.name, entries, ahead: [] });
    }
    return loaded.entry;
  }

  #lookAhead(level: Level): void {
    while (level.ahead.length < filesAhead && !this.#closed) {
      const { value, done } = level.entries.next();
      if (done) return;
      const loading = this.#load(level, value);
      // It is looked at when its turn comes.
      loading.catch(() => {});
      level.ahead.push(loading);
    }
  }

  async #loadRoot(): Promise<Loaded> {
    const path = this.#root;
    const file = await open(path, O_RDONLY | O_NONBLOCK);
    const info = await file.stat();
    if (!info.isDirectory()) return await this.#loadFile(file, path, "", "");
    await file.close();
    const directory = await LocalDirectory.open(path);
    const entry: TreeEntry = { type: "directory", name: "", mode: await directory.mode() };
    return { entry, name: "", directory };
  }

  async #load(level: Level, dirent: Dirent): Promise<Loaded> {
    const { directory } = level;
    const entryName = dirent.name;
    const path = join(directory.path, entryName);
    const name = level.name === "" ? entryName : `${level.name}/${entryName}`;
    if (dirent.isSymbolicLink()) {
      const target = await readlink(directory.at(entryName));
      return { entry: { type: "link", name: entryName, target }, name };
    }
    if (dirent.isDirectory()) {
      const inside = await directory.enter(entryName);
      const entry: TreeEntry = { type: "directory", name: entryName, mode: await inside.mode() };
      return { entry, name, directory: inside };
    }
    if (!dirent.isFile()) throw notAFile(path);
    let file: FileHandle;
    try {
      file = await open(directory.at(entryName), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      if ((error as { code?: string }).code === "ELOOP") throw changed(path);
      (error as Error).message = (error as Error).message.replace(directory.at(entryName), path);
      throw error;
    }
    return await this.#loadFile(file, path, entryName, name);
  }

  async #loadFile(
    file: FileHandle,
    path: string,
    entryName: string,
    name: string,
  ): Promise<Loaded> {
    let keep = false;
    try {
      const info = await file.stat();
      if (!info.isFile()) throw notAFile(path);
      const { mode, size } = info;
      const entry: TreeEntry = { type: "file", name: entryName, mode: mode & 0o7777, size };
      if (size > smallFileBytes) {
        keep = true;
        return { entry, name, file };
      }
      const content = new Uint8Array(size);
      let filled = 0;
      while (filled < size) {
        const { bytesRead } = await file.read(content, filled, size - filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return { entry, name, content: content.subarray(0, filled) };
    } finally {
      if (!keep) await file.close();
    }
  }
}

function byName(one: Dirent, other: Dirent): number {
  return one.name < other.name ? -1 : 1;
}

function notAFile(path: string): SandboxSdkError {
  return new SandboxSdkError(
    `${path} is no file, directory or symbolic link and cannot be uploaded`,
    { code: "NOT_A_FILE" },
  );
}

function changed(path: string): UnsafePathError {
  return new UnsafePathError(path, `${path} changed while it was being uploaded`);
}

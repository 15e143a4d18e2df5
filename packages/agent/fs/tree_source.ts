import { PaddockError, type TreeEntry, type TreeSource } from "@paddock/protocol";

const UNANNOUNCED_BYTES = 4 * 1024;
const MAX_UNANNOUNCED_BYTES = 4 * 1024 * 1024;

interface Level {
  path: string;
  names: Iterator<Deno.DirEntry>;
}

/**
 * Walks a tree for a client that copies it. All of it is done on this thread: in a guest, to have another
 * thread do a call takes longer than the call.
 */
export class LocalTreeSource implements TreeSource {
  readonly #levels: Level[] = [];
  #root: string | undefined;
  #file: Deno.FsFile | undefined;
  /** Of a file that was read before it was announced. */
  #content: Uint8Array | undefined;
  #left = 0;

  /** The root may be a symbolic link; what is below it is taken as it is. */
  constructor(root: string) {
    this.#root = Deno.realPathSync(root);
  }

  next(): TreeEntry | undefined {
    this.close();
    const root = this.#root;
    if (root !== undefined) {
      this.#root = undefined;
      return this.#entry(root, "");
    }
    const level = this.#levels.at(-1);
    if (!level) return undefined;
    const { value, done } = level.names.next();
    if (!done) return this.#entry(`${level.path}/${value.name}`, value.name);
    this.#levels.pop();
    return { type: "up" };
  }

  read(into: Uint8Array): number {
    if (this.#left === 0) return 0;
    const room = into.subarray(0, this.#left);
    let read: number;
    if (this.#content) {
      const from = this.#content.length - this.#left;
      room.set(this.#content.subarray(from, from + room.length));
      read = room.length;
    } else read = this.#file!.readSync(room) ?? 0;
    this.#left -= read;
    return read;
  }

  /** Of the file that is being read. Idempotent. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** The kernel's own files say that they are empty, whatever is in them. */
  #unannounced(file: Deno.FsFile): Uint8Array | undefined {
    let content = new Uint8Array(UNANNOUNCED_BYTES);
    let filled = file.readSync(content) ?? 0;
    if (filled === 0) return undefined;
    for (let read; (read = file.readSync(content.subarray(filled)) ?? 0) > 0; filled += read) {
      if (filled + read < content.length) continue;
      if (content.length >= MAX_UNANNOUNCED_BYTES) {
        throw new PaddockError("FILE_TOO_LARGE", {
          message: `A file that does not tell its size has more than ${content.length} bytes.`,
        });
      }
      const larger = new Uint8Array(content.length * 4);
      larger.set(content);
      content = larger;
    }
    return content.subarray(0, filled);
  }

  #entry(path: string, name: string): TreeEntry {
    const info = Deno.lstatSync(path);
    const mode = info.mode! & 0o7777;
    if (info.isDirectory) {
      this.#levels.push({ path, names: Deno.readDirSync(path)[Symbol.iterator]() });
      return { type: "directory", name, mode };
    }
    if (info.isSymlink) return { type: "link", name, target: Deno.readLinkSync(path) };
    if (!info.isFile) return { type: "other", name };
    this.#file = Deno.openSync(path);
    this.#content = info.size === 0 ? this.#unannounced(this.#file) : undefined;
    this.#left = this.#content?.length ?? info.size;
    return { type: "file", name, mode, size: this.#left };
  }
}

import { isPlainName, PaddockError, TreeDecoder, type TreeEntry } from "@paddock/protocol";
import { osError } from "./os_error.ts";
import { parentOf } from "./paths.ts";

interface OpenDirectory {
  path: string;
  /** Given when it is left, because it may forbid what filling it takes; none for one that was there. */
  mode: number | undefined;
}

interface OpenFile {
  file: Deno.FsFile;
  /** Where it is written. */
  path: string;
  /** The name it gets when it is complete. */
  target: string;
  mode: number;
}

export interface TreeRoot {
  path: string;
  /** The path is the client's own choice, whatever link it is; what is below it is not. */
  throughLink: boolean;
}

/**
 * Writes a tree that a client sends. Nothing is written through a symbolic link below the root, and a
 * file has its name only when it is whole.
 */
export class TreeSink {
  readonly #root: TreeRoot;
  readonly #decoder: TreeDecoder;
  readonly #directories: OpenDirectory[] = [];
  #file: OpenFile | undefined;
  entries = 0;

  constructor(root: TreeRoot) {
    this.#root = root;
    this.#decoder = new TreeDecoder({
      entry: (entry) => this.#entry(entry),
      content: (bytes) => {
        const { file } = this.#file!;
        for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      },
      fileEnd: () => this.#fileEnd(),
    });
  }

  write(chunk: Uint8Array): void {
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      // The system's errors name the file that would have become another, or none at all.
      if (this.#file && error instanceof Error) {
        const { path, target } = this.#file;
        error.message = error.message.includes(path)
          ? error.message.replaceAll(path, target)
          : `${error.message}: ${target}`;
      }
      throw error;
    }
  }

  end(): void {
    this.#decoder.end();
  }

  /** Removes what is not complete. Idempotent. */
  close(): void {
    const open = this.#file;
    this.#file = undefined;
    if (!open) return;
    open.file.close();
    Deno.removeSync(open.path);
  }

  #entry(entry: TreeEntry): void {
    if (entry.type === "up") return this.#leave();
    const path = this.#pathOf(entry.name);
    if (entry.type === "directory") this.#enter(path, entry.name === "", entry.mode);
    else if (entry.type === "file") this.#open(path, entry.name === "", entry.mode);
    else if (entry.type === "link") this.#link(path, entry.target);
    else throw new PaddockError("INVALID_TREE", { message: `${path} is nothing that is written.` });
    this.entries++;
  }

  #pathOf(name: string): string {
    if (name === "") return this.#root.path;
    if (isPlainName(name)) return `${this.#directories.at(-1)!.path}/${name}`;
    throw new PaddockError("INVALID_TREE", {
      message: `${JSON.stringify(name)} is no name of a file.`,
    });
  }

  #enter(path: string, isRoot: boolean, mode: number): void {
    try {
      if (isRoot) Deno.mkdirSync(parentOf(path), { recursive: true });
      Deno.mkdirSync(path, { mode: 0o700 });
      this.#directories.push({ path, mode });
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      const follows = isRoot && this.#root.throughLink;
      const { isDirectory } = follows ? Deno.statSync(path) : Deno.lstatSync(path);
      if (!isDirectory) {
        throw osError("ENOTDIR", `Not a directory (os error 20): ${path} is in the way`);
      }
      this.#directories.push({ path, mode: undefined });
    }
  }

  #leave(): void {
    const { path, mode } = this.#directories.pop()!;
    if (mode !== undefined) Deno.chmodSync(path, mode);
  }

  #open(path: string, isRoot: boolean, mode: number): void {
    const target = isRoot && this.#root.throughLink ? realTarget(path) : path;
    const temporary = `${parentOf(target)}/.paddock-${crypto.randomUUID()}`;
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 });
    } catch (error) {
      if (error instanceof Error) error.message = error.message.replace(temporary, target);
      throw error;
    }
    this.#file = { file, path: temporary, target, mode };
  }

  #fileEnd(): void {
    const { file, path, target, mode } = this.#file!;
    Deno.chmodSync(path, mode);
    Deno.renameSync(path, target);
    this.#file = undefined;
    file.close();
  }

  #link(path: string, target: string): void {
    try {
      Deno.symlinkSync(target, path);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      const temporary = `${parentOf(path)}/.paddock-${crypto.randomUUID()}`;
      Deno.symlinkSync(target, temporary);
      try {
        Deno.renameSync(temporary, path);
      } catch (error) {
        Deno.removeSync(temporary);
        throw error;
      }
    }
  }
}

/** Where a file that the client named is, behind links; refused when it is no file. */
function realTarget(path: string): string {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return path;
    throw error;
  }
  if (info.isDirectory) throw osError("EISDIR", `Is a directory (os error 21): ${path}`);
  if (!info.isFile) {
    throw new PaddockError("INVALID_TREE", { message: `${path} is no regular file.` });
  }
  return Deno.realPathSync(path);
}

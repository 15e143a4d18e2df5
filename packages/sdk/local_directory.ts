import { constants, type Dirent } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { UnsafePathError } from "./errors.ts";

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * A directory of this machine that stays the one it was when it was opened, whatever others do to its
 * name meanwhile: on Linux what is in it is reached through its descriptor. Elsewhere, and where a
 * runtime's permissions forbid that, through its path, looked at anew each time it is entered.
 */
export class LocalDirectory {
  /** For messages. */
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #anchor: string;
  #users = 1;
  #whenLeft: (() => Promise<void>)[] = [];

  private constructor(path: string, handle: FileHandle, anchor: string) {
    this.path = path;
    this.#handle = handle;
    this.#anchor = anchor;
  }

  /** The caller's own path, whatever it leads through. */
  static async open(path: string): Promise<LocalDirectory> {
    const handle = await open(path, O_RDONLY | O_DIRECTORY);
    return new LocalDirectory(path, handle, await anchorOf(path, handle));
  }

  /** Where the entry is reached. */
  at(name: string): string {
    return join(this.#anchor, name);
  }

  names(): Promise<Dirent[]> {
    return readdir(this.#anchor, { withFileTypes: true });
  }

  /** A directory in this one, and no link to one. */
  async enter(name: string): Promise<LocalDirectory> {
    const path = join(this.path, name);
    let handle: FileHandle;
    try {
      handle = await open(this.at(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== "ENOTDIR" && code !== "ELOOP") throw error;
      throw new UnsafePathError(path, `${path} is no directory; nothing is read or written there`);
    }
    // Not every runtime's `open` knows the flag that refuses links.
    const info = await lstat(this.at(name));
    if (!info.isDirectory()) {
      await handle.close();
      throw new UnsafePathError(path, `${path} is no directory; nothing is read or written there`);
    }
    return new LocalDirectory(path, handle, await anchorOf(this.at(name), handle));
  }

  async enterOrMake(name: string): Promise<{ directory: LocalDirectory; made: boolean }> {
    const made = await make(this.at(name));
    return { directory: await this.enter(name), made };
  }

  async mode(): Promise<number> {
    return (await this.#handle.stat()).mode & 0o7777;
  }

  chmod(mode: number): Promise<void> {
    return this.#handle.chmod(mode);
  }

  /** Somebody else works in it; each use ends with `release`. */
  use(): this {
    this.#users++;
    return this;
  }

  /** Done when the last user has left it, before it is closed. */
  onceLeft(work: () => Promise<void>): void {
    this.#whenLeft.push(work);
  }

  async release(): Promise<void> {
    if (--this.#users > 0) return;
    try {
      for (const work of this.#whenLeft) await work();
    } finally {
      await this.#handle.close();
    }
  }
}

/** False when there is something of that name; whether a directory, who opens it learns. */
async function make(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
    return false;
  }
}

let anchored: boolean | undefined;

async function anchorOf(path: string, handle: FileHandle): Promise<string> {
  const anchor = `/proc/self/fd/${handle.fd}`;
  anchored ??= await sameDirectory(anchor, handle);
  return anchored ? anchor : path;
}

async function sameDirectory(anchor: string, handle: FileHandle): Promise<boolean> {
  try {
    const [there, here] = [await lstat(`${anchor}/.`), await handle.stat()];
    return there.ino === here.ino && there.dev === here.dev;
  } catch {
    return false;
  }
}

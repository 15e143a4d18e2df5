import { syncDirectory, syncFile } from "@paddock/driver";

/**
 * The files of a node's volumes:
 *
 *     volumes/<id>.img       whole: it got this name when all of it was on the disk
 *     volumes/.<id>.tmp      being made
 *     volumes/.base/<name>.img, .<name>.tmp     what bootable volumes are copied from
 */
export class VolumeFiles {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  async open(): Promise<void> {
    await Deno.mkdir(this.directory, { recursive: true, mode: 0o700 });
  }

  image(name: string): string {
    return `${this.directory}/${name}.img`;
  }

  unfinished(name: string): string {
    return `${this.directory}/.${name}.tmp`;
  }

  /** The file that was being made is whole: it gets its name, and a crash takes neither away. */
  async publish(name: string): Promise<void> {
    await syncFile(this.unfinished(name));
    await Deno.rename(this.unfinished(name), this.image(name));
    await syncDirectory(this.directory);
  }

  /** Idempotent. */
  async remove(name: string): Promise<void> {
    await removeFile(this.unfinished(name));
    await removeFile(this.image(name));
    await syncDirectory(this.directory);
  }

  has(name: string): boolean {
    try {
      return Deno.statSync(this.image(name)).isFile;
    } catch {
      return false;
    }
  }

  /** Removes what was being made when an earlier daemon ended. */
  async removeUnfinished(): Promise<void> {
    for (const name of await this.#names()) {
      if (name.startsWith(".") && name.endsWith(".tmp")) {
        await removeFile(`${this.directory}/${name}`);
      }
    }
  }

  /** Names of those that are whole. */
  async list(): Promise<string[]> {
    return (await this.#names()).filter((name) => name.endsWith(".img"))
      .map((name) => name.slice(0, -".img".length));
  }

  async #names(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name, isFile } of Deno.readDir(this.directory)) if (isFile) names.push(name);
    return names;
  }
}

async function removeFile(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

import { PaddockError } from "@paddock/protocol";

/** The open files of one connection. */
export class FileHandles {
  readonly #max: number;
  readonly #files = new Map<number, Deno.FsFile>();
  #nextId = 1;

  constructor(max: number) {
    this.#max = max;
  }

  async open(opening: () => Promise<Deno.FsFile>): Promise<number> {
    if (this.#files.size >= this.#max) {
      throw new PaddockError("TOO_MANY_FILES", {
        message: `${this.#files.size} files are open on this connection, the most it may have.`,
        details: { limit: "openFiles", max: this.#max },
      });
    }
    const file = await opening();
    const id = this.#nextId++;
    this.#files.set(id, file);
    return id;
  }

  get(id: number): Deno.FsFile {
    const file = this.#files.get(id);
    if (!file) throw new Deno.errors.BadResource("Bad resource ID");
    return file;
  }

  close(id: number): void {
    const file = this.get(id);
    this.#files.delete(id);
    file.close();
  }

  closeAll(): void {
    for (const file of this.#files.values()) {
      try {
        file.close();
      } catch {
        // Being read by a stream that closed it.
      }
    }
    this.#files.clear();
  }
}

import { Cgroup } from "./cgroup.ts";

interface Note {
  id: string;
  cgroup: string;
}

/**
 * Which machines a driver has started, in files: written before a machine starts and removed after it
 * ended, so that a later daemon finds every one that an earlier one left.
 */
export class MachineNotes {
  readonly #directory: string;

  constructor(stateDir: string) {
    this.#directory = `${stateDir}/machines`;
  }

  add(note: Note): void {
    Deno.mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    Deno.writeTextFileSync(`${this.#directory}/${note.id}.json`, JSON.stringify(note), {
      mode: 0o600,
    });
  }

  async remove(id: string): Promise<void> {
    await Deno.remove(`${this.#directory}/${id}.json`).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }

  /** Ends and forgets every machine that is noted: all that one is ends with its processes. */
  async reap(
    signal: AbortSignal,
    forget: (id: string) => Promise<void> = (id) => this.remove(id),
  ): Promise<string[]> {
    const reaped: string[] = [];
    for (const id of this.#noted()) {
      signal.throwIfAborted();
      const note = this.#read(id);
      if (note) await new Cgroup(note.cgroup).kill();
      await forget(id);
      reaped.push(id);
    }
    return reaped;
  }

  #noted(): string[] {
    try {
      return [...Deno.readDirSync(this.#directory)]
        .filter((file) => file.name.endsWith(".json"))
        .map((file) => file.name.slice(0, -".json".length));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  /** Undefined for a note that was cut off while it was written: its machine never started. */
  #read(id: string): Note | undefined {
    try {
      return JSON.parse(Deno.readTextFileSync(`${this.#directory}/${id}.json`));
    } catch {
      return undefined;
    }
  }
}

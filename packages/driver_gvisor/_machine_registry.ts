import { Cgroup } from "@paddock/driver";

interface Entry {
  id: string;
  cgroup: string;
}

const KILL_DEADLINE_MS = 10_000;

/**
 * Which machines this driver has started, in files: written before a machine starts and removed
 * after it ended, so that a later daemon finds every one that an earlier one left.
 */
export class MachineRegistry {
  readonly #directory: string;
  readonly runscRoot: string;

  constructor(stateDir: string) {
    this.#directory = `${stateDir}/machines`;
    this.runscRoot = `${stateDir}/runsc`;
  }

  add(entry: Entry): void {
    Deno.mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    Deno.mkdirSync(this.runscRoot, { recursive: true, mode: 0o700 });
    Deno.writeTextFileSync(`${this.#directory}/${entry.id}.json`, JSON.stringify(entry), {
      mode: 0o600,
    });
  }

  /** Removes what runsc and we keep about a machine that has ended. */
  async remove(id: string): Promise<void> {
    const paths = [
      `${this.runscRoot}/${id}_sandbox:${id}.lock`,
      `${this.runscRoot}/${id}_sandbox:${id}.state`,
      // runsc puts its socket in the first of these that leaves the path short enough.
      `${this.runscRoot}/runsc-${id}.sock`,
      `/run/runsc-${id}.sock`,
      `/tmp/runsc-${id}.sock`,
      `${this.#directory}/${id}.json`,
    ];
    for (const path of paths) {
      await Deno.remove(path).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  }

  /** Ends and forgets every machine that is noted here. */
  async reap(signal: AbortSignal): Promise<string[]> {
    const reaped: string[] = [];
    for (const id of this.#noted()) {
      signal.throwIfAborted();
      const entry = this.#read(id);
      if (entry) await new Cgroup(entry.cgroup).kill(KILL_DEADLINE_MS);
      await this.remove(id);
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
  #read(id: string): Entry | undefined {
    try {
      return JSON.parse(Deno.readTextFileSync(`${this.#directory}/${id}.json`));
    } catch {
      return undefined;
    }
  }
}

import { MachineNotes } from "@paddock/driver";

/** The notes of machines that run, and what runsc itself keeps about them. */
export class MachineRegistry {
  readonly #notes: MachineNotes;
  readonly runscRoot: string;

  constructor(stateDir: string) {
    this.#notes = new MachineNotes(stateDir);
    this.runscRoot = `${stateDir}/runsc`;
  }

  add(entry: Parameters<MachineNotes["add"]>[0]): void {
    Deno.mkdirSync(this.runscRoot, { recursive: true, mode: 0o700 });
    this.#notes.add(entry);
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
    ];
    for (const path of paths) {
      await Deno.remove(path).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
    await this.#notes.remove(id);
  }

  /** Ends and forgets every machine that is noted here. */
  reap(signal: AbortSignal): Promise<string[]> {
    return this.#notes.reap(signal, (id) => this.remove(id));
  }
}

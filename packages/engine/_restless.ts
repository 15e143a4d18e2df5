import type { Machine } from "@paddock/driver";

/** Of one processor. A machine that waits takes some 0.002, and one of many that compute what it gets. */
const RESTLESS_SHARE = 0.1;
/** In a row: one that has just been restored tidies up. */
const LOOKS = 3;

interface Waiting {
  place: { machine: Pick<Machine, "usage"> };
}

interface Look {
  at: number;
  cpuMicroseconds: number;
  /** How often in a row it computed. */
  restless: number;
}

/**
 * Tells which of the machines that wait compute all the time although nobody has asked anything of them: what
 * they were restored from was written at a bad moment, and they would take the processors of everybody.
 */
export class Restless<T extends Waiting> {
  readonly #looks = new WeakMap<T, Look>();

  /** To be asked every few seconds; `now` in milliseconds. */
  async among(machines: T[], now = performance.now()): Promise<T[]> {
    const found: T[] = [];
    await Promise.all(machines.map(async (machine) => {
      const { cpuMicroseconds } = await machine.place.machine.usage();
      const before = this.#looks.get(machine) ?? { at: now, cpuMicroseconds, restless: 0 };
      const most = RESTLESS_SHARE * (now - before.at) * 1_000;
      const computed = now > before.at && cpuMicroseconds - before.cpuMicroseconds > most;
      const restless = computed ? before.restless + 1 : 0;
      this.#looks.set(machine, { at: now, cpuMicroseconds, restless });
      if (restless >= LOOKS) found.push(machine);
    }));
    return found;
  }
}

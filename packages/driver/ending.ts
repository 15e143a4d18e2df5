import type { Cgroup } from "./cgroup.ts";
import { sleep } from "./sleep.ts";

const EXIT_DEADLINE_MS = 5_000;

/**
 * A machine's way to its end, which is taken once: whoever asks while it is under way or done shares it. One
 * that failed may be tried again.
 */
export class Ending {
  readonly #work: () => Promise<void>;
  #underWay: Promise<void> | undefined;
  #wanted = false;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** From the first call of `take` on: what ends after that was stopped, and did not end by itself. */
  get wanted(): boolean {
    return this.#wanted;
  }

  take(): Promise<void> {
    this.#wanted = true;
    this.#underWay ??= this.#work().catch((error) => {
      this.#underWay = undefined;
      throw error;
    });
    return this.#underWay;
  }
}

/** Ends all processes of a machine, and waits until its end is known. */
export async function endProcesses(
  { id, cgroup, exited }: { id: string; cgroup: Cgroup; exited: Promise<unknown> },
): Promise<void> {
  await cgroup.kill();
  const ended = await Promise.race([
    exited.then(() => true),
    sleep(EXIT_DEADLINE_MS).then(() => false),
  ]);
  if (!ended) throw new Error(`machine ${id} is dead, but its end was never reported`);
}

import { osError } from "../fs/os_error.ts";
import { PaddockError } from "@paddock/protocol";
import type { Identity } from "../identity/identity.ts";
import { GuestProcess, type SpawnOptions } from "./guest_process.ts";

/** How many processes that have ended are remembered, for those who ask late. */
const REMEMBERED = 1024;

/** The processes that clients started, by pid; those that have ended for a while longer. */
export class ProcessTable {
  readonly #identity: Identity;
  readonly #maxRunning: number;
  readonly #processes = new Map<number, GuestProcess>();
  #running = 0;
  readonly #onSpawn: () => void;

  constructor(identity: Identity, maxRunning: number, onSpawn: () => void = () => {}) {
    this.#identity = identity;
    this.#maxRunning = maxRunning;
    this.#onSpawn = onSpawn;
  }

  get running(): number {
    return this.#running;
  }

  spawn(options: SpawnOptions): GuestProcess {
    if (this.#running >= this.#maxRunning) {
      throw new PaddockError("TOO_MANY_PROCESSES", {
        message: `${this.#running} processes run in the sandbox, the most it may have.`,
        details: { limit: "processes", max: this.#maxRunning },
      });
    }
    const process = GuestProcess.spawn(this.#identity, options);
    this.add(process);
    return process;
  }

  /** Makes a process known that was started elsewhere. */
  add(process: GuestProcess): void {
    // A pid that comes round again means another process from now on.
    this.#processes.delete(process.pid);
    this.#processes.set(process.pid, process);
    this.#running++;
    const ended = () => {
      this.#running--;
      this.#forget();
    };
    process.status.then(ended, ended);
    this.#onSpawn();
  }

  /** The process, running or ended; NotFound with the code clients expect when there is none. */
  get(pid: number): GuestProcess {
    const process = this.#processes.get(pid);
    if (!process) throw noSuchProcess(pid);
    return process;
  }

  find(pid: number): GuestProcess | undefined {
    return this.#processes.get(pid);
  }

  *[Symbol.iterator](): Generator<GuestProcess> {
    for (const process of this.#processes.values()) if (!process.exit) yield process;
  }

  #forget(): void {
    let surplus = this.#processes.size - this.#running - REMEMBERED;
    for (const [pid, process] of this.#processes) {
      if (surplus <= 0) return;
      if (!process.exit) continue;
      this.#processes.delete(pid);
      surplus--;
    }
  }
}

export function noSuchProcess(pid: number): Error {
  return osError("ENOENT", `There is no process ${pid}`);
}

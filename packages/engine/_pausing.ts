import { type Log, type Machine, sleep } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import { isPassingRestoreFailure } from "./machine_died.ts";
import type { RestoreSource } from "./restore_source.ts";
import type { AroundStandstill, PausedState, SandboxState } from "./engine.ts";

const ATTEMPTS = 3;
const BETWEEN_ATTEMPTS_MS = 300;
const THAW_DEADLINE_MS = 10_000;

/** Where the machines of paused sandboxes are. */
export interface PausedMachines {
  /** Writes a machine that stands still, sees that it can be restored, and answers the checkpoint's id. */
  keep(sandboxId: string, signal: AbortSignal): Promise<string>;
  /** Checked before; the caller counts as a user until the release. */
  use(
    checkpoint: string,
    organizationId: string,
    signal: AbortSignal,
  ): Promise<{ source: RestoreSource; release(): Promise<void> }>;
  remove(checkpoint: string): Promise<void>;
  /** Throws when the host has no room for one machine more, or the organisation may not have one. */
  refuseWithoutRoom(organizationId: string): Promise<void>;
}

/** What a sandbox does for its pausing. */
export interface Pausable {
  readonly spec: { id: string; organizationId: string };
  readonly state: SandboxState;
  readonly machine: Machine;
  /** Aborted when the sandbox is to end. */
  readonly ending: AbortSignal;
  /** Throws why it cannot be paused; no checkpoint of it is under way when this resolves. */
  refusePause(): Promise<void>;
  /** Connections from the host have ended, and the guest does next to nothing, when this resolves. */
  getQuiet(signal: AbortSignal): Promise<void>;
  /** Its machine is written: it is paused from now on, and the machine ends. */
  fallAsleep(checkpoint: string): Promise<void>;
  /** A machine from there is its machine; when that fails, it is paused as before. */
  wakeUp(source: RestoreSource, paused: PausedState, signal: AbortSignal): Promise<void>;
}

/** Told how long it took, in milliseconds. */
export interface PausingMeters {
  pausing(ms: number): void;
  resuming(ms: number): void;
}

/**
 * Pauses and resumes a sandbox, one after the other. Its record says `paused` from the moment when the
 * checkpoint is whole, and until a machine from it is seen to go on: whenever the daemon dies, a paused
 * sandbox is still there, and one that was about to be paused has ended as every running one has.
 */
export class Pausing {
  readonly #sandbox: Pausable;
  readonly #machines: PausedMachines;
  readonly #log: Log;
  readonly #took: PausingMeters;
  #turn: Promise<unknown> = Promise.resolve();
  /** Pauses that were asked for and are not over. */
  #pauses = 0;
  paused: PausedState | null = null;

  constructor(
    sandbox: Pausable,
    machines: PausedMachines,
    { log, took }: { log: Log; took: PausingMeters },
  ) {
    this.#sandbox = sandbox;
    this.#machines = machines;
    this.#log = log;
    this.#took = took;
  }

  /** Its machine stands still, or does so at any moment. */
  get underWay(): boolean {
    return this.#pauses > 0;
  }

  pause(signal: AbortSignal, around: AroundStandstill): Promise<void> {
    this.#pauses++;
    return this.#next(() => this.#pause(signal, around)).finally(() => this.#pauses--);
  }

  resume(signal: AbortSignal): Promise<void> {
    const { state } = this.#sandbox;
    if (state === "running" && !this.underWay) return Promise.resolve();
    return this.#next(() => this.#resume(signal));
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#turn.catch(() => {});
  }

  /** What is asked for later finds a sandbox that ends. */
  async end(): Promise<void> {
    await this.settled();
    const { paused } = this;
    this.paused = null;
    if (paused) await this.#remove(paused.checkpoint);
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.catch(() => {}).then(work);
    turn.catch(() => {});
    this.#turn = turn;
    return turn;
  }

  async #pause(signal: AbortSignal, around: AroundStandstill): Promise<void> {
    const sandbox = this.#sandbox;
    if (sandbox.state === "paused") return;
    await sandbox.refusePause();
    const wanted = AbortSignal.any([signal, sandbox.ending]);
    const began = performance.now();
    try {
      await around(async () => {
        for (let attempt = 1;; attempt++) {
          try {
            await this.#freeze(wanted);
            return this.#took.pausing(performance.now() - began);
          } catch (error) {
            // What kept the machine from being restored was under way in it, and is over soon.
            if (attempt === ATTEMPTS || !isPassingRestoreFailure(error)) throw error;
            await sleep(BETWEEN_ATTEMPTS_MS, wanted);
          }
        }
      });
    } catch (error) {
      if (signal.aborted) throw new PaddockError("ABORTED", { cause: error });
      throw error;
    }
  }

  async #freeze(wanted: AbortSignal): Promise<void> {
    const { machine, spec } = this.#sandbox;
    await this.#sandbox.getQuiet(wanted);
    let checkpoint: string | undefined;
    try {
      await machine.pause(wanted);
      checkpoint = await this.#machines.keep(spec.id, wanted);
      // The guest must not go on beside its checkpoint, so from here on there is no way back.
      await this.#sandbox.fallAsleep(checkpoint);
    } catch (error) {
      if (this.#sandbox.state !== "paused") {
        if (checkpoint !== undefined) await this.#remove(checkpoint);
        await this.#thaw(machine);
      }
      throw error;
    }
  }

  async #thaw(machine: Machine): Promise<void> {
    if (this.#sandbox.state !== "running") return;
    await machine.resume(AbortSignal.timeout(THAW_DEADLINE_MS)).catch((error) =>
      this.#log.error("a sandbox that could not be paused does not go on", {
        sandbox: this.#sandbox.spec.id,
        error: String(error),
      })
    );
  }

  async #resume(signal: AbortSignal): Promise<void> {
    const sandbox = this.#sandbox;
    if (sandbox.state === "running") return;
    const { paused } = this;
    if (sandbox.state !== "paused" || !paused) throw new PaddockError("SANDBOX_STOPPED");
    const { id, organizationId } = sandbox.spec;
    const wanted = AbortSignal.any([signal, sandbox.ending]);
    const began = performance.now();
    try {
      await this.#machines.refuseWithoutRoom(organizationId);
      const used = await this.#machines.use(paused.checkpoint, organizationId, wanted);
      try {
        await sandbox.wakeUp(used.source, paused, wanted);
      } finally {
        await used.release();
      }
    } catch (error) {
      this.#log.warn("a sandbox could not be resumed", { sandbox: id, error: String(error) });
      if (signal.aborted) throw new PaddockError("ABORTED", { cause: error });
      throw PaddockError.from(error, "RESTORE_FAILED");
    }
    this.#took.resuming(performance.now() - began);
    this.paused = null;
    // It runs: nobody has to wait for that, but what comes next.
    this.#next(() => this.#remove(paused.checkpoint));
  }

  /** What stays is removed at the next start. */
  async #remove(checkpoint: string): Promise<void> {
    await this.#machines.remove(checkpoint).catch((error) =>
      this.#log.error("the machine of a paused sandbox was not removed", {
        sandbox: this.#sandbox.spec.id,
        error: String(error),
      })
    );
  }
}

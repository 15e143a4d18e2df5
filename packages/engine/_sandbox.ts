import type {
  Capability,
  DriverName,
  DriverTraits,
  Machine,
  MachineExit,
  MachineImage,
} from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import { checkExtension } from "./_check_extension.ts";
import { explainCheckpointFailure } from "./_checkpoint_failure.ts";
import { explainCreateFailure } from "./_create_failure.ts";
import type { DriverRoom } from "./_driver_rooms.ts";
import { refuseWithoutDisk } from "./_host_room.ts";
import { IdleWatch } from "./_idle_watch.ts";
import type { PooledMachine } from "./_pooled_machine.ts";
import { type Pausable, type PausedMachines, Pausing } from "./_pausing.ts";
import { quietMoment } from "./_quiet_moment.ts";
import { refuseStandstill } from "./_refuse_standstill.ts";
import { restoreDeadlineMs } from "./_restore_deadline.ts";
import { SandboxMachine, type StartedMachine } from "./_sandbox_machine.ts";
import { sandboxRecord } from "./_sandbox_record.ts";
import type { EngineParts } from "./_sandbox_resources.ts";
import { StopTimer } from "./_stop_timer.ts";
import { tryCheckpoint } from "./_try_checkpoint.ts";
import { explainRestoreFailure } from "./machine_died.ts";
import type { RestoreSource } from "./restore_source.ts";
import type {
  AroundStandstill,
  EndReason,
  Greeting,
  Origin,
  PausedState,
  RecordStore,
  RunningSandbox,
  SandboxRecord,
  SandboxSpec,
  SandboxState,
} from "./engine.ts";

export interface SandboxOrigins {
  /** What it goes on from, with all that was in there; a new machine when left out. */
  source?: RestoreSource;
  /** A machine that waited for it. */
  pooled?: PooledMachine;
  /** It is paused, and since when it exists. */
  before?: { createdAt: number; paused: PausedState };
}

export class Sandbox implements RunningSandbox, Pausable {
  readonly spec: SandboxSpec;
  readonly driver: DriverName;
  readonly capabilities: Capability[];
  readonly createdAt: Date;
  readonly ended: Promise<EndReason>;
  readonly #parts: EngineParts;
  readonly #driverVersion: string | undefined;
  readonly #records: RecordStore;
  readonly #machine: SandboxMachine;
  /** Aborted when the sandbox is to end: whatever creates it stops at its next step. */
  readonly #ending = new AbortController();
  readonly #settleEnded: (reason: EndReason) => void;
  #state: SandboxState = "creating";
  #stopAt: number | "session";
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  /** One checkpoint after the other. */
  #checkpoints: Promise<unknown> = Promise.resolve();
  #timer: StopTimer | undefined;
  #holds = 0;
  readonly #idle: IdleWatch;
  readonly #standstillListeners = new Set<() => void>();
  readonly #pausing: Pausing;

  constructor(
    spec: SandboxSpec,
    room: DriverRoom,
    records: RecordStore,
    machines: PausedMachines,
    { source, pooled, before }: SandboxOrigins = {},
  ) {
    const { parts, probe } = room;
    this.createdAt = new Date(before?.createdAt ?? Date.now());
    this.spec = spec;
    this.driver = parts.driver.name;
    this.capabilities = probe.capabilities;
    this.#driverVersion = probe.version;
    this.#parts = parts;
    this.#records = records;
    this.#machine = new SandboxMachine(spec, room, {
      ...{ source, pooled, onExit: (exit) => this.#onExit(exit) },
    });
    this.#stopAt = spec.stopAt;
    const { promise, resolve } = Promise.withResolvers<EndReason>();
    this.ended = promise;
    this.#settleEnded = resolve;
    this.#idle = new IdleWatch(spec.pauseAfterIdleMs, () => this.#pauseIdle());
    this.#pausing = new Pausing(this, machines, {
      log: parts.log,
      took: {
        pausing: (ms) => parts.meters.paused(this.driver, ms),
        resuming: (ms) => parts.meters.restored(this.driver, "resumed", ms),
      },
    });
    if (before) this.#rest(before.paused);
  }

  get state(): SandboxState {
    return this.#state;
  }

  get driverVersion(): string | undefined {
    return this.#driverVersion;
  }

  get imageDigest(): string {
    return this.image?.digest ?? this.#parts.image.digest;
  }

  /** The image it was checkpointed with, where that is another than the node's present one. */
  get image(): MachineImage | undefined {
    return this.#machine.image;
  }

  /** What its driver does with a checkpoint of it. */
  get traits(): DriverTraits {
    return this.#parts.driver.traits;
  }

  get origin(): Origin | undefined {
    return this.#machine.origin;
  }

  get stopAt(): number | "session" {
    return this.#stopAt;
  }

  get agent(): { host: string; port: number; token: string } {
    return this.#machine.agent;
  }

  takeGreeting(): Greeting | undefined {
    return this.#machine.takeGreeting();
  }

  record(): SandboxRecord {
    return sandboxRecord(this.spec, {
      ...{ driver: this.driver, state: this.#state, createdAt: this.createdAt.getTime() },
      ...{ stopAt: this.#stopAt, paused: this.#pausing.paused },
    });
  }

  /** Resolves when the agent answers. When it fails, the sandbox is gone before it rejects. */
  async start(signal: AbortSignal): Promise<void> {
    try {
      this.#starting = this.#machine.start(AbortSignal.any([signal, this.#ending.signal]))
        .then((started) => this.#run(started));
      await this.#starting;
    } catch (error) {
      const failure = explainCreateFailure(error, {
        ...{ signal, ending: this.#ending.signal.aborted, limits: this.#parts.limits },
        restored: this.#machine.goesOn,
      });
      this.#parts.log.warn("sandbox could not be created", {
        sandbox: this.spec.id,
        error: String(error),
        cause: error instanceof Error && error.cause ? String(error.cause) : undefined,
        code: failure.code,
      });
      await this.kill("create_failed");
      throw failure;
    }
  }

  /** From now on it is there for everybody, and its time passes. */
  #run({ place, died }: StartedMachine, more: Partial<SandboxRecord> = {}): void {
    const { limits } = this.#parts;
    // Booting may use every CPU there is: only what runs in here from now on is not ours.
    place.cgroup.limitCpus(limits.cpus);
    this.#ending.signal.throwIfAborted();
    died.throwIfAborted();
    this.#setState("running", more);
    const stopAt = this.#stopAt;
    this.#timer?.[Symbol.dispose]();
    this.#timer = stopAt === "session"
      ? new StopTimer(Date.now() + limits.sessionGraceMs, () => {
        if (this.#holds === 0) this.#end("session_closed");
      })
      : new StopTimer(stopAt, () => this.#end("timeout"));
    this.#idle.start();
  }

  #onExit(exit: MachineExit): void {
    if (exit.reason === "stopped") return;
    this.#parts.log.warn("machine ended on its own", { sandbox: this.spec.id, ...exit });
    if (this.#state === "running") this.#end(exit.reason);
  }

  holdSession(): { release(): void } {
    this.#holds++;
    const visit = this.#idle.hold();
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#holds--;
        visit.release();
        const alone = this.#holds === 0 && this.awake && this.#stopAt === "session";
        if (alone) this.#end("session_closed");
      },
    };
  }

  holdVisit(): { release(): void } {
    return this.#idle.hold();
  }

  onStandstill(listener: () => void): Disposable {
    this.#standstillListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#standstillListeners.delete(listener) };
  }

  /** The guest hears of connections that end, and gets to rest. */
  async getQuiet(signal: AbortSignal): Promise<void> {
    for (const listener of [...this.#standstillListeners]) listener();
    this.takeGreeting()?.[Symbol.dispose]();
    await quietMoment(this.#machine.place!, signal);
  }

  get awake(): boolean {
    return this.#state === "running" && !this.#pausing.underWay;
  }

  pause(signal: AbortSignal, around: AroundStandstill = (work) => work()): Promise<void> {
    return this.#pausing.pause(signal, around);
  }

  resume(signal: AbortSignal): Promise<void> {
    return this.#pausing.resume(signal);
  }

  #pauseIdle(): void {
    const { limits, log } = this.#parts;
    this.pause(AbortSignal.timeout(2 * limits.checkpointMs)).catch((error) => {
      if (!this.awake) return;
      log.warn("an idle sandbox could not be paused", {
        sandbox: this.spec.id,
        error: String(error),
      });
      // Not before it has been idle for as long again.
      this.#idle.start();
    });
  }

  get machine(): Machine {
    return this.#machine.place!.machine;
  }

  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  async refusePause(): Promise<void> {
    await this.#checkpoints.catch(() => {});
    if (this.#state !== "running") throw new PaddockError("SANDBOX_STOPPED");
    refuseStandstill(this, "pause");
  }

  async fallAsleep(checkpoint: string): Promise<void> {
    const now = Date.now();
    const leftMs = this.#stopAt === "session" ? null : Math.max(0, this.#stopAt - now);
    const paused: PausedState = { at: now, checkpoint, leftMs };
    const stopAt = now + this.#parts.limits.pausedMaxMs;
    if (this.#state !== "running") throw new PaddockError("SANDBOX_STOPPED");
    this.#setState("paused", { paused, stopAt });
    this.#rest(paused);
    await this.#machine.giveUp();
  }

  /** Its time stands still, but it is not kept for ever. */
  #rest(paused: PausedState): void {
    this.#state = "paused";
    this.#pausing.paused = paused;
    this.#idle.stop();
    this.#timer?.[Symbol.dispose]();
    const until = paused.at + this.#parts.limits.pausedMaxMs;
    this.#timer = new StopTimer(until, () => this.#end("timeout"));
  }

  async wakeUp(source: RestoreSource, { leftMs }: PausedState, signal: AbortSignal) {
    const deadline = AbortSignal.timeout(restoreDeadlineMs(this.#parts));
    try {
      const started = await this.#machine.goOn(source, AbortSignal.any([signal, deadline]), true);
      this.#stopAt = leftMs === null ? "session" : Date.now() + leftMs;
      const stopAt = this.#stopAt === "session" ? null : this.#stopAt;
      this.#run(started, { stopAt, paused: null });
    } catch (error) {
      await this.#machine.giveUp();
      throw explainRestoreFailure(error, this.#parts.limits);
    }
  }

  async extend(stopAt: number): Promise<number> {
    if (this.#state !== "running") throw new PaddockError("SANDBOX_STOPPED");
    const now = this.#stopAt;
    checkExtension(now, stopAt, this.#parts.limits);
    if (stopAt <= now) return now;
    this.#records.update(this.spec.id, { stopAt });
    this.#stopAt = stopAt;
    if (this.#timer) this.#timer.at = stopAt;
    return stopAt;
  }

  kill(reason: EndReason = "killed"): Promise<void> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  /** Ends it for an engine that closes; a paused one stays, for the next engine. */
  async leave(): Promise<void> {
    await this.#pausing.settled();
    if (this.#state !== "paused") return await this.kill("node_stopped");
    this.#timer?.[Symbol.dispose]();
  }

  #end(reason: EndReason): void {
    this.kill(reason);
  }

  /** Never rejects: what could not be taken back is in the log, and the next start repeats it. */
  async #stop(reason: EndReason): Promise<void> {
    this.#ending.abort(new Error(`the sandbox ends: ${reason}`));
    this.#timer?.[Symbol.dispose]();
    this.#idle[Symbol.dispose]();
    this.#setState("stopping", { endReason: reason, paused: null });
    // What is under way notices within one step, and must be out before things are taken away.
    await this.#starting?.catch(() => {});
    await this.#pausing.end();
    try {
      await this.#machine.end();
    } catch (error) {
      this.#parts.log.error("teardown failed", { sandbox: this.spec.id, error: String(error) });
    }
    // Of one that never ran, the console is the driver's and for the operator: it is in the log.
    if (reason !== "create_failed") {
      const { id, organizationId } = this.spec;
      await this.#parts.endedLogs.keep(organizationId, id, await this.logs());
    }
    this.#setState("stopped", { endReason: reason, stoppedAt: Date.now() });
    this.#settleEnded(reason);
  }

  #setState(state: SandboxState, more: Partial<SandboxRecord> = {}): void {
    try {
      // One that was being made is gone as much as one that ran, once its host has crashed.
      const how = this.#state === "creating" && state === "running" ? "note" : "update";
      this.#records[how](this.spec.id, { state, ...more });
    } catch (error) {
      // Ending must not wait for a database that fails; starting must.
      if (state === "running" || state === "paused") throw error;
      this.#parts.log.error("record could not be written", {
        sandbox: this.spec.id,
        state,
        error: String(error),
      });
    }
    this.#state = state;
  }

  /**
   * Writes the machine into `directory`, which must not exist and does not when this fails; the
   * sandbox goes on. Resolves with what its agent demands in a machine that is restored from there.
   */
  checkpoint(
    directory: string,
    signal: AbortSignal,
    around: AroundStandstill = (work) => work(),
  ): Promise<{ token: string; pausedMs: number }> {
    const checkpointing = this.#checkpoints.catch(() => {}).then(() =>
      this.#checkpoint(directory, signal, around)
    );
    this.#checkpoints = checkpointing;
    return checkpointing;
  }

  async #checkpoint(directory: string, signal: AbortSignal, around: AroundStandstill) {
    const { limits } = this.#parts;
    const deadline = AbortSignal.timeout(limits.checkpointMs);
    try {
      if (this.#state !== "running") throw new PaddockError("SANDBOX_STOPPED");
      refuseStandstill(this, "checkpoint");
      const { machine } = this;
      const { memoryBytes } = await machine.usage();
      await refuseWithoutDisk(directory.slice(0, directory.lastIndexOf("/")), memoryBytes, limits);
      const wanted = AbortSignal.any([signal, this.#ending.signal, deadline]);
      wanted.throwIfAborted();
      const { pausedMs } = await around(async () => {
        if (this.awake) await this.getQuiet(wanted);
        return await machine.checkpoint(directory, wanted);
      });
      return { token: this.agent.token, pausedMs };
    } catch (error) {
      const ended = this.#state !== "running";
      throw explainCheckpointFailure(error, { ended, signal, deadline, limits });
    }
  }

  /** Whether a checkpoint of it can be restored. Throws what a sandbox made from it would. */
  tryCheckpoint(
    checkpoint: { directory: string; token: string; written: Promise<unknown> },
    signal: AbortSignal,
  ): Promise<{ ended: Promise<void> }> {
    const { image } = this;
    const source = { ...checkpoint, users: 0, ...(image && { image }) };
    return tryCheckpoint(this.#parts, { source, memoryBytes: this.spec.memoryBytes }, signal);
  }

  usage(): Promise<{ memoryBytes: number; cpuMicroseconds: number }> {
    return this.#machine.place?.machine.usage() ??
      Promise.resolve({ memoryBytes: 0, cpuMicroseconds: 0 });
  }

  logs(): Promise<string> {
    return Promise.resolve(this.#machine.place?.machine.console() ?? "");
  }
}

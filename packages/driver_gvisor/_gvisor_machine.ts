import { PaddockError } from "@paddock/protocol";
import {
  type Cgroup,
  type CheckpointReport,
  checkpointWithVolumes,
  type ConsoleLog,
  Ending,
  endProcesses,
  type Machine,
  type MachineExit,
  type MachineUsage,
  releasedByLoop,
  runCommand,
  sleep,
} from "@paddock/driver";
import { lastWords } from "./_last_words.ts";

const CONTROL_DEADLINE_MS = 60_000;
/** Writing out what a volume's filesystem still has in memory; a slow disk takes its time. */
const UNMOUNT_DEADLINE_MS = 20_000;

/**
 * From here on an exit status is a failure of runsc itself (128) or a death by signal. Whether that
 * hit the sentry or the guest's first process runsc does not tell apart; both are a crash.
 */
const CRASH_CODES_FROM = 128;

/** A sentry that dies by itself, of too many threads for example, exits with 2 and shows its stacks. */
const SENTRY_PANIC = /^\s*(?:goroutine \d+|gvisor\.dev\/gvisor\/pkg\/sentry\/)/m;

export interface GvisorMachineParts {
  id: string;
  child: Deno.ChildProcess;
  cgroup: Cgroup;
  log: ConsoleLog;
  /** The program and its state directory, before a command of its own. */
  runsc: string[];
  /** Images that the machine has mounted and may write to. */
  volumeImages: string[];
  /** Its mounts are others than those of the machine that a checkpoint is restored into. */
  hasVolumes: boolean;
  /** Removes what the machine left in the driver's state directory. */
  forget: () => Promise<void>;
}

export class GvisorMachine implements Machine {
  readonly id: string;
  readonly pid: number;
  readonly exited: Promise<MachineExit>;
  readonly #parts: GvisorMachineParts;
  readonly #drained: Promise<unknown>;
  readonly #ending = new Ending(() => this.#stop());
  #paused = false;

  constructor(parts: GvisorMachineParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.pid = parts.child.pid;
    this.#drained = Promise.all([
      parts.log.drain(parts.child.stdout),
      parts.log.drain(parts.child.stderr),
    ]);
    this.exited = this.#watch();
  }

  async #watch(): Promise<MachineExit> {
    const { code, signal } = await this.#parts.child.status;
    // What the machine said last explains its end; a writer that holds the pipe open delays no one.
    await Promise.race([this.#drained, sleep(200)]);
    const exit = { code, ...(signal === null ? {} : { signal }) };
    if (this.#ending.wanted) return { reason: "stopped", ...exit };
    const detail = lastWords(this.console());
    if (this.#parts.cgroup.oomKills() > 0) return { reason: "out_of_memory", ...exit, detail };
    const crashed = signal !== null || code >= CRASH_CODES_FROM || SENTRY_PANIC.test(detail);
    return { reason: crashed ? "crashed" : "guest_exited", ...exit, detail };
  }

  stop(): Promise<void> {
    return this.#ending.take();
  }

  async #stop(): Promise<void> {
    try {
      this.#parts.child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    const { id, exited } = this;
    await endProcesses({ id, exited, cgroup: this.#parts.cgroup });
    if (this.#parts.volumeImages.length > 0) {
      await releasedByLoop(this.#parts.volumeImages, UNMOUNT_DEADLINE_MS);
    }
    this.#parts.log.close();
    await this.#parts.forget();
  }

  usage(): Promise<MachineUsage> {
    return Promise.resolve({
      memoryBytes: this.#parts.cgroup.memoryBytes(),
      cpuMicroseconds: this.#parts.cgroup.cpuMicroseconds(),
    });
  }

  async checkpoint(directory: string, signal: AbortSignal): Promise<CheckpointReport> {
    if (this.#parts.hasVolumes) throw checkpointWithVolumes();
    await Deno.mkdir(directory, { mode: 0o700 });
    try {
      const before = performance.now();
      await this.#runsc([
        ...["checkpoint", "--leave-running", "--compression=none"],
        ...["--image-path", directory, this.id],
      ], signal);
      return { pausedMs: performance.now() - before };
    } catch (error) {
      await Deno.remove(directory, { recursive: true }).catch(() => {});
      signal.throwIfAborted();
      const full = /no space left|os error 28/i.test(String(error));
      throw new PaddockError(full ? "DISK_FULL" : "CHECKPOINT_FAILED", { cause: error });
    }
  }

  async pause(signal: AbortSignal): Promise<void> {
    if (this.#paused && !this.#ending.wanted) return;
    await this.#runsc(["pause", this.id], signal);
    this.#paused = true;
  }

  async resume(signal: AbortSignal): Promise<void> {
    if (!this.#paused) return;
    await this.#runsc(["resume", this.id], signal);
    this.#paused = false;
  }

  /** runsc knows its sandbox by a process id, which means something in the machine's namespace of processes only. */
  async #runsc(args: string[], signal: AbortSignal): Promise<void> {
    if (this.#ending.wanted) throw new PaddockError("SANDBOX_STOPPED");
    const run = await runCommand([
      ...["nsenter", `--pid=/proc/${this.pid}/ns/pid_for_children`, "--"],
      ...[...this.#parts.runsc, ...args],
    ], { signal, deadlineMs: CONTROL_DEADLINE_MS });
    if (!run.ok) throw new Error(`runsc ${args[0]} failed: ${run.stderr || run.stdout}`);
  }

  resize(): Promise<void> {
    return Promise.reject(new PaddockError("DRIVER_CANNOT"));
  }

  console(): string {
    return this.#parts.log.text();
  }
}

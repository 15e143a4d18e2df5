import {
  type Cgroup,
  type Machine,
  type MachineExit,
  type MachineUsage,
  sleep,
} from "@paddock/driver";
import type { ConsoleLog } from "./_console_log.ts";

const KILL_DEADLINE_MS = 10_000;
const EXIT_DEADLINE_MS = 5_000;

/**
 * From here on an exit status is a failure of runsc itself (128) or a death by signal. Whether that
 * hit the sentry or the guest's first process runsc does not tell apart; both are a crash.
 */
const CRASH_CODES_FROM = 128;

/** A sentry that dies by itself, of too many threads for example, exits with 2 and shows its stacks. */
const SENTRY_PANIC = /^\s*(?:goroutine \d+|gvisor\.dev\/gvisor\/pkg\/sentry\/)/m;

const DETAIL_CHARACTERS = 4_000;

export interface GvisorMachineParts {
  id: string;
  child: Deno.ChildProcess;
  cgroup: Cgroup;
  log: ConsoleLog;
  /** Removes what the machine left in the driver's state directory. */
  forget: () => Promise<void>;
}

export class GvisorMachine implements Machine {
  readonly id: string;
  readonly pid: number;
  readonly exited: Promise<MachineExit>;
  readonly #parts: GvisorMachineParts;
  readonly #drained: Promise<unknown>;
  #stopRequested = false;
  #stopping: Promise<void> | undefined;

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
    if (this.#stopRequested) return { reason: "stopped", ...exit };
    const detail = this.console().slice(-DETAIL_CHARACTERS);
    if (this.#parts.cgroup.oomKills() > 0) return { reason: "out_of_memory", ...exit, detail };
    const crashed = signal !== null || code >= CRASH_CODES_FROM || SENTRY_PANIC.test(detail);
    return { reason: crashed ? "crashed" : "guest_exited", ...exit, detail };
  }

  stop(): Promise<void> {
    // A stop that failed may be tried again; one under way or done is shared.
    this.#stopping ??= this.#stop().catch((error) => {
      this.#stopping = undefined;
      throw error;
    });
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#stopRequested = true;
    try {
      this.#parts.child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#parts.cgroup.kill(KILL_DEADLINE_MS);
    const ended = await Promise.race([
      this.exited.then(() => true),
      sleep(EXIT_DEADLINE_MS).then(() => false),
    ]);
    if (!ended) throw new Error(`machine ${this.id} is dead, but its end was never reported`);
    this.#parts.log.close();
    await this.#parts.forget();
  }

  usage(): Promise<MachineUsage> {
    return Promise.resolve({
      memoryBytes: this.#parts.cgroup.memoryBytes(),
      cpuMicroseconds: this.#parts.cgroup.cpuMicroseconds(),
    });
  }

  console(): string {
    return this.#parts.log.text();
  }
}

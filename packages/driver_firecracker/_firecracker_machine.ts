import { join } from "node:path";
import { PaddockError } from "@paddock/protocol";
import {
  type Cgroup,
  type CheckpointReport,
  checkpointWithVolumes,
  type ConsoleLog,
  Ending,
  endProcesses,
  type LaunchSpec,
  type Log,
  type Machine,
  type MachineExit,
  type MachineUsage,
  type RootVolume,
  sleep,
} from "@paddock/driver";
import { checkpointFailed, endInOrder, guestEnd, machineBytesFor, Turns } from "@paddock/driver/vm";
import { ApiError } from "./_api_client.ts";
import { writeCheckpoint } from "./_checkpoint.ts";
import { CHECKPOINT_FILES, linkFile } from "./_checkpoint_files.ts";
import type { HaltWatch } from "./_halt_watch.ts";
import type { Jail } from "./_jail.ts";
import { killVmm, type Vmm } from "./_vmm.ts";

const MiB = 1024 * 1024;
const DETAIL_CHARACTERS = 4_000;
/** How often a VMM is asked whether it is still there. */
const ASK_EVERY_MS = 15_000;

export interface FirecrackerMachineParts {
  spec: LaunchSpec;
  vmm: Vmm;
  jail: Jail;
  cgroup: Cgroup;
  console: ConsoleLog;
  halt: HaltWatch;
  /** The packed layers that the machine was started with. */
  layers: string;
  /** The memory file that it was restored from: a checkpoint only writes what has changed since. */
  base?: string;
  /** What outlives the machine. */
  volumes: readonly RootVolume[];
  /** How long Firecracker may take to answer before it counts as hung. */
  answerMs: number;
  log: Log;
  /** Removes the note of the machine in the driver's state directory. */
  forget: () => Promise<void>;
}

export class FirecrackerMachine implements Machine {
  readonly id: string;
  readonly pid: number;
  readonly exited: Promise<MachineExit>;
  readonly #parts: FirecrackerMachineParts;
  /** Firecracker does one thing at a time, and what it is in the middle of matters to the next. */
  readonly #turns = new Turns();
  readonly #over = new AbortController();
  #paused = false;
  #base: string | undefined;
  #hung = false;
  #halted = false;
  readonly #ending = new Ending(() => this.#stop());

  constructor(parts: FirecrackerMachineParts) {
    this.#parts = parts;
    this.id = parts.spec.id;
    this.pid = parts.vmm.child.pid;
    this.#base = parts.base;
    this.exited = this.#watch();
    this.#askNowAndThen();
  }

  async #watch(): Promise<MachineExit> {
    const { child, drained, log } = this.#parts.vmm;
    const { code, signal } = await child.status;
    this.#over.abort(new Error("the machine has ended"));
    // What the machine said last explains its end; a writer that holds the pipe open delays no one.
    await Promise.race([drained, sleep(500)]);
    if (this.#ending.wanted) {
      return { reason: "stopped", code, ...(signal === null ? {} : { signal }) };
    }
    const exit = this.#explain(code, signal);
    const said = `${this.console()}\n${log.text()}`.trim().slice(-DETAIL_CHARACTERS);
    return { ...exit, detail: exit.detail === undefined ? said : `${exit.detail}\n${said}` };
  }

  #explain(code: number, signal: string | null): MachineExit {
    if (this.#hung) {
      return { reason: "crashed", detail: "Firecracker hung: it did not answer and was ended." };
    }
    if (this.#parts.cgroup.oomKills() > 0) {
      return {
        reason: "out_of_memory",
        detail: "The machine (Firecracker) took more memory than it may.",
      };
    }
    if (this.#halted) return { reason: "guest_exited", detail: "The guest switched itself off." };
    const end = guestEnd(this.console());
    if (end) {
      const { why, ...exit } = end;
      return why === undefined ? exit : { ...exit, detail: why };
    }
    if (signal === null && code === 0) {
      return {
        reason: "guest_exited",
        detail: "The guest restarted itself, which ends a sandbox.",
      };
    }
    const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    return {
      reason: "crashed",
      ...(signal === null ? { code } : { signal }),
      detail: `The machine's process (Firecracker) ${how}.`,
    };
  }

  /** The guest's kernel stands still for good, and Firecracker with it. */
  halted(): void {
    this.#halted = true;
    killVmm(this.#parts.vmm.child);
  }

  stop(): Promise<void> {
    return this.#ending.take();
  }

  async #stop(): Promise<void> {
    const { vmm, cgroup, console, halt, forget } = this.#parts;
    if (this.#parts.volumes.some(({ readOnly }) => !readOnly)) await this.#endInOrder();
    killVmm(vmm.child);
    await endProcesses({ id: this.id, cgroup, exited: this.exited });
    halt[Symbol.dispose]();
    vmm.release();
    console.close();
    await forget();
  }

  /** What is in the middle of something else is not waited for: the guest hears of it, or is killed. */
  #endInOrder(): Promise<void> {
    const { vmm: { api }, log } = this.#parts;
    return endInOrder({
      ...{ log, id: this.id, over: this.#over.signal },
      ...(this.#paused && { goOn: (call) => api.vmState("Resumed", call) }),
      wish: async (call) => {
        try {
          await api.action("SendCtrlAltDel", call);
        } catch (error) {
          // Refused is what the guest has yet to read: it was pressed already.
          if (!(error instanceof ApiError) || error.status === undefined) throw error;
        }
      },
    });
  }

  /** A VMM that does not answer serves nobody: its guest may have broken it, or broken out into it. */
  async #askNowAndThen(): Promise<void> {
    const { vmm, answerMs } = this.#parts;
    const { signal } = this.#over;
    try {
      for (;;) {
        await sleep(Math.min(ASK_EVERY_MS, answerMs), signal);
        await this.#turns.take(signal, () => vmm.api.instance({ signal, deadlineMs: answerMs }));
      }
    } catch (error) {
      if (signal.aborted || this.#ending.wanted) return;
      await this.#giveUp(error);
    }
  }

  async #giveUp(error: unknown): Promise<void> {
    const { log, vmm, cgroup } = this.#parts;
    log.warn("Firecracker does not answer", { sandbox: this.id, error: String(error) });
    this.#hung = true;
    killVmm(vmm.child);
    await cgroup.kill().catch(() => {});
  }

  usage(): Promise<MachineUsage> {
    return Promise.resolve({
      memoryBytes: this.#parts.cgroup.memoryBytes(),
      cpuMicroseconds: this.#parts.cgroup.cpuMicroseconds(),
    });
  }

  checkpoint(directory: string, signal: AbortSignal): Promise<CheckpointReport> {
    if (this.#parts.volumes.length > 0) return Promise.reject(checkpointWithVolumes());
    return this.#turns.take(signal, async () => {
      const { spec, vmm, jail, layers } = this.#parts;
      try {
        await Deno.mkdir(directory, { mode: 0o700 });
      } catch (cause) {
        throw checkpointFailed(cause);
      }
      const base = this.#base;
      // What has changed since is only known again once a checkpoint has worked.
      this.#base = undefined;
      try {
        const report = await writeCheckpoint({
          ...{ directory, spec, api: vmm.api, jail, layers, base, paused: this.#paused },
          manifest: {
            driver: "firecracker",
            version: vmm.version,
            memoryBytes: spec.memoryBytes,
            image: spec.image.digest,
          },
        }, AbortSignal.any([signal, this.#over.signal]));
        // Only a restored machine's changes are noted; of others every checkpoint is a full one.
        if (this.#parts.base !== undefined) this.#base = await this.#keepBase(directory);
        return report;
      } catch (error) {
        await Deno.remove(directory, { recursive: true }).catch(() => {});
        if (signal.aborted) throw signal.reason;
        throw checkpointFailed(error);
      }
    });
  }

  /** The next checkpoint builds on this one's memory, which its owner may remove before that. */
  async #keepBase(directory: string): Promise<string | undefined> {
    const kept = join(this.#parts.spec.workDir, "base-memory");
    const next = `${kept}.next`;
    await Deno.remove(next).catch(() => {});
    if (!await linkFile(join(directory, CHECKPOINT_FILES.memory), next)) return undefined;
    await Deno.rename(next, kept);
    return kept;
  }

  pause(signal: AbortSignal): Promise<void> {
    return this.#setState(true, signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return this.#setState(false, signal);
  }

  #setState(paused: boolean, signal: AbortSignal): Promise<void> {
    return this.#turns.take(signal, async () => {
      this.#over.signal.throwIfAborted();
      if (this.#paused === paused) return;
      await this.#answered(
        this.#parts.vmm.api.vmState(paused ? "Paused" : "Resumed", {
          signal,
          deadlineMs: this.#parts.answerMs,
        }),
      );
      this.#paused = paused;
    });
  }

  async resize(memoryBytes: number, signal: AbortSignal): Promise<void> {
    const most = this.#parts.spec.memoryBytes;
    if (!(memoryBytes > 0) || memoryBytes > most) {
      throw new PaddockError("INVALID_CONFIG", {
        field: "memoryBytes",
        message: `A machine's memory can be set up to the ${most} bytes that it was made with.`,
      });
    }
    // What the guest is to lose is taken out of the whole by its balloon.
    const amount = Math.floor((machineBytesFor(most) - machineBytesFor(memoryBytes)) / MiB);
    await this.#turns.take(signal, () =>
      this.#answered(
        this.#parts.vmm.api.inflateBalloon(amount, { signal, deadlineMs: this.#parts.answerMs }),
      ));
  }

  /** What Firecracker last reported of itself, as it wrote it; for the benchmark. */
  async metrics(signal: AbortSignal): Promise<Record<string, unknown>> {
    await this.#turns.take(signal, () => this.#parts.vmm.api.action("FlushMetrics", { signal }));
    const lines = this.#parts.vmm.metrics.text().trim().split("\n");
    return JSON.parse(lines.at(-1) ?? "{}");
  }

  console(): string {
    return this.#parts.console.text().replaceAll("\r\n", "\n");
  }

  /** A VMM that has refused something goes on; one that is silent is ended. */
  async #answered<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      const silent = error instanceof ApiError && error.status === undefined;
      if (silent && !this.#over.signal.aborted) await this.#giveUp(error);
      throw error;
    }
  }
}

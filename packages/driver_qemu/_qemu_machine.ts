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
import type { CheckpointNote } from "./_checkpoint_files.ts";
import { removeDirectory, writeCheckpoint } from "./_checkpoint.ts";
import type { QemuProcess } from "./_qemu_process.ts";
import type { QmpEvent } from "./qmp_client.ts";

/** What a machine was started from: what of it has changed is its own. */
export interface MachineSource {
  /** The guest's memory as QEMU has it, more than the guest sees. */
  machineBytes: number;
  /** The file that is mapped as the memory. */
  memory: string;
  /** The disk that the machine's own is a copy-on-write one of. */
  baseDisk?: string;
  layers: string;
}

export interface QemuMachineParts {
  spec: LaunchSpec;
  process: QemuProcess;
  cgroup: Cgroup;
  console: ConsoleLog;
  source: MachineSource;
  /** What outlives the machine. */
  volumes: readonly RootVolume[];
  note: CheckpointNote;
  /** How long QEMU may take to answer before it counts as hung. */
  answerMs: number;
  log: Log;
  /** Removes the note of the machine in the driver's state directory. */
  forget: () => Promise<void>;
}

const DETAIL_CHARACTERS = 4_000;
/** How often QEMU is asked whether it is still there. */
const ASK_EVERY_MS = 15_000;
const INCOMING_POLL_MS = 4;

export class QemuMachine implements Machine {
  readonly id: string;
  readonly pid: number;
  readonly exited: Promise<MachineExit>;
  readonly #parts: QemuMachineParts;
  /** Commands that change whether the guest runs come one after the other. */
  readonly #turns = new Turns();
  readonly #over = new AbortController();
  #paused = false;
  #checkpoints = 0;
  #shutdown: string | undefined;
  #hung = false;
  readonly #ending = new Ending(() => this.#stop());

  constructor(parts: QemuMachineParts) {
    this.#parts = parts;
    this.id = parts.spec.id;
    this.pid = parts.process.child.pid;
    this.exited = this.#watch();
  }

  /** Resolves when QEMU takes commands; rejects when it ends before that. */
  async open(deadlineMs: number, signal: AbortSignal): Promise<void> {
    await this.#parts.process.control.open({ deadlineMs, signal });
    this.#askNowAndThen();
  }

  /** Loads the state of the machine that this one goes on from, and lets it run. */
  async goOn(uri: string, signal: AbortSignal): Promise<void> {
    const { control } = this.#parts.process;
    const options = { signal, deadlineMs: this.#parts.answerMs };
    await control.execute("migrate-incoming", { uri }, options);
    for (const end = performance.now() + this.#parts.answerMs;;) {
      const { status, "error-desc": why } = await control.execute(
        "query-migrate",
        undefined,
        options,
      );
      if (status === "completed") break;
      if (status === "failed") throw new Error(why ?? "QEMU could not load the machine's state");
      if (performance.now() > end) throw new Error("the machine's state took too long to load");
      await sleep(INCOMING_POLL_MS, signal);
    }
    // The guest had the whole of its memory when its state was written, or less; it has it now.
    await control.execute("cont", undefined, options);
  }

  take(event: QmpEvent): void {
    if (event.event === "SHUTDOWN") this.#shutdown = String(event.data?.reason ?? "");
  }

  async #watch(): Promise<MachineExit> {
    const { child, drained } = this.#parts.process;
    const { code, signal } = await child.status;
    this.#over.abort(new Error("the machine has ended"));
    // What the machine said last explains its end; a writer that holds the pipe open delays no one.
    await Promise.race([drained, sleep(500)]);
    if (this.#ending.wanted) {
      return { reason: "stopped", code, ...(signal === null ? {} : { signal }) };
    }
    const exit = this.#explain(signal);
    const said = this.console().slice(-DETAIL_CHARACTERS);
    return { ...exit, detail: exit.detail === undefined ? said : `${exit.detail}\n${said}` };
  }

  #explain(signal: string | null): MachineExit {
    if (this.#hung) {
      return { reason: "crashed", detail: "QEMU hung: it did not answer and was ended." };
    }
    if (this.#parts.cgroup.oomKills() > 0) {
      return {
        reason: "out_of_memory",
        detail: "The machine (QEMU) took more memory than it may.",
      };
    }
    const end = guestEnd(this.console());
    if (end) {
      const { why, ...exit } = end;
      return why === undefined ? exit : { ...exit, detail: why };
    }
    if (this.#shutdown === "guest-shutdown") {
      return { reason: "guest_exited", detail: "The guest switched itself off." };
    }
    if (this.#shutdown === "guest-reset") {
      return {
        reason: "guest_exited",
        detail: "The guest restarted itself, which ends a sandbox.",
      };
    }
    return {
      reason: "crashed",
      ...(signal === null ? {} : { signal }),
      // A QEMU that ends in order says why before; `unshare` does not always pass a signal on.
      detail: "The machine's process (QEMU) was killed or failed.",
    };
  }

  stop(): Promise<void> {
    return this.#ending.take();
  }

  async #stop(): Promise<void> {
    if (this.#parts.volumes.some(({ readOnly }) => !readOnly)) {
      const { process: { control }, log } = this.#parts;
      await endInOrder({
        ...{ log, id: this.id, over: this.#over.signal },
        ...(this.#paused && { goOn: (call) => control.execute("cont", undefined, call) }),
        // The kernel takes every second one for itself, as the beginning of a magic key.
        wish: (call) => control.execute("chardev-send-break", { id: "console" }, call),
      });
    }
    this.#kill();
    const { id, exited } = this;
    await endProcesses({ id, exited, cgroup: this.#parts.cgroup });
    this.#parts.console.close();
    await this.#parts.forget();
  }

  #kill(): void {
    try {
      this.#parts.process.child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }

  /** A QEMU that does not answer serves nobody: its guest may be looping in it, or have broken it. */
  async #askNowAndThen(): Promise<void> {
    const { process, answerMs } = this.#parts;
    try {
      for (;;) {
        await sleep(Math.min(ASK_EVERY_MS, answerMs), this.#over.signal);
        await process.control.execute("query-status", undefined, {
          deadlineMs: answerMs,
          signal: this.#over.signal,
        });
      }
    } catch (error) {
      if (this.#over.signal.aborted || this.#ending.wanted) return;
      this.#parts.log.warn("QEMU does not answer", { sandbox: this.id, error: String(error) });
      this.#hung = true;
      this.#kill();
      await this.#parts.cgroup.kill().catch(() => {});
    }
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
      const { spec, source, note, process, answerMs, cgroup } = this.#parts;
      try {
        await Deno.mkdir(directory, { mode: 0o700 });
      } catch (cause) {
        throw checkpointFailed(cause);
      }
      try {
        return await writeCheckpoint({
          ...{ directory, source, note, paused: this.#paused, answerMs },
          control: process.control,
          pid: () => qemuOf(cgroup),
          run: `${spec.workDir}/run`,
          disk: spec.diskImage,
          number: ++this.#checkpoints,
        }, AbortSignal.any([signal, this.#over.signal]));
      } catch (error) {
        await removeDirectory(directory);
        if (signal.aborted) throw signal.reason;
        throw checkpointFailed(error);
      }
    });
  }

  pause(signal: AbortSignal): Promise<void> {
    return this.#turns.take(signal, async () => {
      await this.#control("stop", signal);
      this.#paused = true;
    });
  }

  resume(signal: AbortSignal): Promise<void> {
    return this.#turns.take(signal, async () => {
      await this.#control("cont", signal);
      this.#paused = false;
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
    const { machineBytes } = this.#parts.source;
    // What the guest is to lose is taken out of the whole by its balloon.
    const value = machineBytes - (machineBytesFor(most) - machineBytesFor(memoryBytes));
    await this.#parts.process.control.execute("balloon", { value: Math.min(value, machineBytes) }, {
      signal,
      deadlineMs: this.#parts.answerMs,
    });
  }

  console(): string {
    return this.#parts.console.text().replaceAll("\r\n", "\n");
  }

  async #control(command: "stop" | "cont", signal: AbortSignal): Promise<void> {
    const options = { signal, deadlineMs: this.#parts.answerMs };
    await this.#parts.process.control.execute(command, undefined, options);
  }
}

/** QEMU itself among the few processes of a machine. */
function qemuOf(cgroup: Cgroup): number {
  for (const pid of cgroup.processes()) {
    try {
      if (Deno.readTextFileSync(`/proc/${pid}/comm`).startsWith("qemu")) return pid;
    } catch {
      // It has just ended.
    }
  }
  throw new Error("the machine's process is gone");
}

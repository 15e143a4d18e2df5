import type { Capability, DriverName, MachineExit } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import { waitForAgent } from "./_agent_ready.ts";
import { guestInit } from "./_guest_init.ts";
import { type EngineParts, type MachineInPlace, startMachine } from "./_sandbox_resources.ts";
import { StopTimer } from "./_stop_timer.ts";
import type {
  EndReason,
  RecordStore,
  RunningSandbox,
  SandboxRecord,
  SandboxSpec,
  SandboxState,
} from "./engine.ts";

const AGENT_PORT = 4270;

export class Sandbox implements RunningSandbox {
  readonly spec: SandboxSpec;
  readonly driver: DriverName;
  readonly capabilities: Capability[];
  readonly createdAt = new Date();
  readonly ended: Promise<EndReason>;
  readonly #parts: EngineParts;
  readonly #records: RecordStore;
  readonly #stack = new AsyncDisposableStack();
  /** Aborted when the sandbox is to end: whatever creates it stops at its next step. */
  readonly #ending = new AbortController();
  readonly #settleEnded: (reason: EndReason) => void;
  readonly #token = randomToken();
  #state: SandboxState = "creating";
  #stopAt: number | "session";
  #place: MachineInPlace | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #timer: StopTimer | undefined;
  #holds = 0;

  constructor(
    spec: SandboxSpec,
    parts: EngineParts,
    capabilities: Capability[],
    records: RecordStore,
  ) {
    this.spec = spec;
    this.driver = parts.driver.name;
    this.capabilities = capabilities;
    this.#parts = parts;
    this.#records = records;
    this.#stopAt = spec.stopAt;
    const { promise, resolve } = Promise.withResolvers<EndReason>();
    this.ended = promise;
    this.#settleEnded = resolve;
  }

  get state(): SandboxState {
    return this.#state;
  }

  get stopAt(): number | "session" {
    return this.#stopAt;
  }

  get agent(): { host: string; port: number; token: string } {
    return {
      host: this.#place?.slot.guestAddress ?? "",
      port: AGENT_PORT,
      token: this.#token,
    };
  }

  record(): SandboxRecord {
    const { id, organizationId, region, labels, memoryBytes, alias } = this.spec;
    return {
      id,
      organizationId,
      alias: alias ?? null,
      region,
      driver: this.driver,
      state: this.#state,
      labels,
      memoryBytes,
      createdAt: this.createdAt.getTime(),
      stopAt: this.#stopAt === "session" ? null : this.#stopAt,
      stoppedAt: null,
      endReason: null,
    };
  }

  /** Resolves when the agent answers. When it fails, the sandbox is gone before it rejects. */
  async start(signal: AbortSignal): Promise<void> {
    try {
      this.#starting = this.#start(signal);
      await this.#starting;
    } catch (error) {
      const failure = this.#explain(error, signal);
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

  async #start(signal: AbortSignal): Promise<void> {
    const { limits } = this.#parts;
    const deadline = AbortSignal.timeout(limits.agentStartMs);
    const wanted = AbortSignal.any([signal, this.#ending.signal, deadline]);
    const place = await startMachine(
      this.#parts,
      {
        id: this.spec.id,
        memoryBytes: this.spec.memoryBytes,
        init: () =>
          guestInit(this.spec, this.#parts.image, { port: AGENT_PORT, token: this.#token }, limits),
      },
      this.#stack,
      wanted,
    );
    this.#place = place;
    const died = new AbortController();
    place.machine.exited.then((exit) => {
      died.abort(new MachineDied(exit));
      this.#onExit(exit);
    });
    await waitForAgent(this.agent, AbortSignal.any([wanted, died.signal]));
    // Booting may use every CPU there is: only what runs in here from now on is not ours.
    place.cgroup.limitCpus(limits.cpus);
    this.#ending.signal.throwIfAborted();
    died.signal.throwIfAborted();
    this.#setState("running");
    const stopAt = this.#stopAt;
    this.#timer = stopAt === "session"
      ? new StopTimer(Date.now() + limits.sessionGraceMs, () => {
        if (this.#holds === 0) this.#end("session_closed");
      })
      : new StopTimer(stopAt, () => this.#end("timeout"));
  }

  #explain(error: unknown, signal: AbortSignal): PaddockError {
    if (signal.aborted) return new PaddockError("ABORTED", { cause: error });
    if (this.#ending.signal.aborted) {
      return new PaddockError("SANDBOX_STOPPED", {
        message: "The sandbox was ended while it was being created.",
      });
    }
    if (error instanceof MachineDied) {
      return error.exit.reason === "out_of_memory"
        ? new PaddockError("SANDBOX_OUT_OF_MEMORY", { cause: error })
        : new PaddockError("DRIVER_FAILED", {
          message: "The machine ended before it could be used.",
          cause: error,
        });
    }
    if (error instanceof DOMException && error.name === "TimeoutError") {
      return new PaddockError("AGENT_UNREACHABLE", {
        message: "The program inside the sandbox did not answer within " +
          `${this.#parts.limits.agentStartMs} ms (limits.agentStartMs).`,
        cause: error,
      });
    }
    return PaddockError.from(error, "CREATE_FAILED");
  }

  #onExit(exit: MachineExit): void {
    if (exit.reason === "stopped") return;
    this.#parts.log.warn("machine ended on its own", { sandbox: this.spec.id, ...exit });
    if (this.#state === "running") this.#end(exit.reason);
  }

  holdSession(): { release(): void } {
    this.#holds++;
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#holds--;
        if (this.#holds === 0 && this.#stopAt === "session") this.#end("session_closed");
      },
    };
  }

  extend(stopAt: number): Promise<number> {
    if (this.#state !== "running") return Promise.reject(new PaddockError("SANDBOX_STOPPED"));
    if (this.#stopAt === "session") {
      return Promise.reject(
        new PaddockError("INVALID_CONFIG", {
          field: "stop_at_ms",
          message: "This sandbox lives as long as its session: it has no timeout to extend.",
        }),
      );
    }
    const most = this.#parts.limits.timeoutExtendMaxMs;
    if (!Number.isFinite(stopAt) || stopAt > Date.now() + most) {
      return Promise.reject(
        new PaddockError("TIMEOUT_TOO_LONG", {
          field: "stop_at_ms",
          message: `A timeout can be extended to ${most / 1000} s from now at most ` +
            "(limits.timeoutExtendMaxMs).",
        }),
      );
    }
    if (stopAt > this.#stopAt) {
      this.#records.update(this.spec.id, { stopAt });
      this.#stopAt = stopAt;
      if (this.#timer) this.#timer.at = stopAt;
    }
    return Promise.resolve(this.#stopAt);
  }

  kill(reason: EndReason = "killed"): Promise<void> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  #end(reason: EndReason): void {
    this.kill(reason);
  }

  /** Never rejects: what could not be taken back is in the log, and the next start repeats it. */
  async #stop(reason: EndReason): Promise<void> {
    this.#ending.abort(new Error(`the sandbox ends: ${reason}`));
    this.#timer?.[Symbol.dispose]();
    this.#setState("stopping", { endReason: reason });
    // A creation under way notices within one step, and must be out before things are taken away.
    await this.#starting?.catch(() => {});
    try {
      await this.#stack.disposeAsync();
    } catch (error) {
      this.#parts.log.error("teardown failed", { sandbox: this.spec.id, error: String(error) });
    }
    this.#setState("stopped", { endReason: reason, stoppedAt: Date.now() });
    this.#settleEnded(reason);
  }

  #setState(state: SandboxState, more: Partial<SandboxRecord> = {}): void {
    try {
      this.#records.update(this.spec.id, { state, ...more });
    } catch (error) {
      // Ending must not wait for a database that fails; starting must.
      if (state === "running") throw error;
      this.#parts.log.error("record could not be written", {
        sandbox: this.spec.id,
        state,
        error: String(error),
      });
    }
    this.#state = state;
  }

  usage(): Promise<{ memoryBytes: number; cpuMicroseconds: number }> {
    return this.#place
      ? this.#place.machine.usage()
      : Promise.resolve({ memoryBytes: 0, cpuMicroseconds: 0 });
  }

  logs(): Promise<string> {
    return Promise.resolve(this.#place?.machine.console() ?? "");
  }
}

class MachineDied extends Error {
  readonly exit: MachineExit;

  constructor(exit: MachineExit) {
    super(`the machine ended (${exit.reason}, code ${exit.code ?? "none"}): ${exit.detail ?? ""}`);
    this.exit = exit;
  }
}

function randomToken(): string {
  return [...crypto.getRandomValues(new Uint8Array(32))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

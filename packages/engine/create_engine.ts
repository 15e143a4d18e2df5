import { Cgroup, type Driver, findCgroups, type Log, type ProbeResult } from "@paddock/driver";
import { defaultLimits, type LimitValues, PaddockError } from "@paddock/protocol";
import { lockDataDir } from "./_data_dir_lock.ts";
import { DiskPool } from "./_disk_pool.ts";
import { type NetworkOptions, planNetwork } from "./_network_plan.ts";
import { NetworkSlots } from "./_network_slots.ts";
import { reapNode } from "./_reap_node.ts";
import { Sandbox } from "./_sandbox.ts";
import type { EngineParts, GuestImage } from "./_sandbox_resources.ts";
import type { Engine, RecordStore, RunningSandbox, SandboxSpec } from "./engine.ts";

export interface EngineOptions {
  dataDir: string;
  image: GuestImage;
  driver: Driver;
  records: RecordStore;
  limits?: Partial<LimitValues>;
  network?: NetworkOptions;
  /** Network slots and disks kept ready (config key `prewarmSlots`). */
  prewarmSlots?: number;
  log: Log;
  /** Gives up on starting; a started engine ends by `close`. */
  signal?: AbortSignal;
}

const DEFAULT_PREWARM = 2;
const CLOSE_STEP_MS = 10_000;

/**
 * Starts the engine of a data directory: takes it for itself, ends what an earlier engine left in
 * it, and checks that the driver can run something.
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  if (Deno.uid() !== 0) throw new PaddockError("NOT_ROOT");
  const signal = options.signal ?? new AbortController().signal;
  await using stack = new AsyncDisposableStack();
  stack.use(await lockDataDir(options.dataDir));
  const dataDir = await Deno.realPath(options.dataDir);
  const hash = await hashOf(dataDir);
  const limits = { ...defaultLimits, ...options.limits };
  const { log, driver, records } = options;
  const cgroups = findHostCgroups();
  const cgroupParent = `paddock/${hash}`;
  const directory = `${dataDir}/sandboxes`;
  await reapNode({ directory, driver, cgroups, cgroupParent, records, log, signal });

  const prewarm = options.prewarmSlots ?? DEFAULT_PREWARM;
  const { guestConnections } = limits;
  const plan = { ...await planNetwork(options.network ?? {}, log, signal), guestConnections };
  const [probe] = await Promise.all([driver.probe(signal), Deno.mkdir(directory, { mode: 0o700 })]);
  refuseUnlessWorking(probe);
  stack.defer(() => new Cgroup(cgroupParent, cgroups).remove(CLOSE_STEP_MS));
  const slots = new NetworkSlots(plan, hash, prewarm, log);
  stack.defer(() => slots.close());
  await slots.open(signal);
  const disks = new DiskPool(`${dataDir}/disks`, limits.diskBytes, prewarm, log);
  stack.defer(() => disks.close());
  await disks.open();
  const { image } = options;
  const held = { slots, disks, cgroups, cgroupParent };
  const parts: EngineParts = { directory, image, driver, limits, ...held, log };
  return new NodeEngine(parts, probe, records, stack.move());
}

class NodeEngine implements Engine {
  readonly #parts: EngineParts;
  readonly #probe: ProbeResult;
  readonly #records: RecordStore;
  readonly #stack: AsyncDisposableStack;
  readonly #sandboxes = new Map<string, Sandbox>();
  #closing: Promise<void> | undefined;

  constructor(
    parts: EngineParts,
    probe: ProbeResult,
    records: RecordStore,
    stack: AsyncDisposableStack,
  ) {
    this.#parts = parts;
    this.#probe = probe;
    this.#records = records;
    this.#stack = stack;
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<RunningSandbox> {
    if (this.#closing) throw new PaddockError("SHUTTING_DOWN");
    if (signal.aborted) throw new PaddockError("ABORTED", { cause: signal.reason });
    if (this.#sandboxes.has(spec.id)) throw new PaddockError("SANDBOX_ALREADY_EXISTS");
    const most = this.#parts.limits.sandboxes;
    if (this.#sandboxes.size >= most) {
      throw new PaddockError("CAPACITY_EXHAUSTED", {
        message: `This host runs ${most} sandboxes, as many as it may (limits.sandboxes).`,
      });
    }
    const sandbox = new Sandbox(spec, this.#parts, this.#probe.capabilities, this.#records);
    this.#sandboxes.set(spec.id, sandbox);
    sandbox.ended.then(() => this.#sandboxes.delete(spec.id));
    try {
      this.#records.insert(sandbox.record());
    } catch (error) {
      this.#sandboxes.delete(spec.id);
      throw PaddockError.from(error, "CREATE_FAILED");
    }
    await sandbox.start(signal);
    return sandbox;
  }

  get(id: string): RunningSandbox | undefined {
    return this.#sandboxes.get(id);
  }

  list(): RunningSandbox[] {
    return [...this.#sandboxes.values()];
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#sandboxes.values()].map((sandbox) => sandbox.kill("node_stopped")));
    await this.#stack.disposeAsync();
  }
}

function refuseUnlessWorking(probe: ProbeResult): void {
  if (probe.works) return;
  throw new PaddockError("HOST_CANNOT_RUN_SANDBOXES", {
    message: `This host cannot run sandboxes with ${probe.driver}: ${probe.problems.join(" ")}`,
  });
}

function findHostCgroups() {
  try {
    return findCgroups();
  } catch (error) {
    throw new PaddockError("HOST_CANNOT_RUN_SANDBOXES", {
      message: `This host cannot bound sandboxes: ${(error as Error).message}.`,
      cause: error,
    });
  }
}

/** Stands for the data directory in the names of what the host knows by one name only. */
async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).slice(0, 4).toHex();
}

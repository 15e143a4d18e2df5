import {
  Cgroup,
  type Driver,
  type DriverName,
  findCgroups,
  type Log,
  type MachineImage,
  type ProbeResult,
  removeSharedCgroup,
} from "@paddock/driver";
import { defaultLimits, type LimitValues, newSandboxId, PaddockError } from "@paddock/protocol";
import { EndedLogs } from "./_ended_logs.ts";
import { lockDataDir } from "./_data_dir_lock.ts";
import { type DriverRoom, DriverRooms } from "./_driver_rooms.ts";
import { DiskPool } from "./_disk_pool.ts";
import { refuseWithoutRoom } from "./_host_room.ts";
import { type NetworkOptions, planNetwork } from "./_network_plan.ts";
import { MachinePool } from "./_machine_pool.ts";
import { NetworkSlots } from "./_network_slots.ts";
import { ForkDirectories } from "./_fork_directories.ts";
import { forkSandbox } from "./_fork_sandbox.ts";
import { reapNode } from "./_reap_node.ts";
import type { PausedMachines } from "./_pausing.ts";
import { findPaused } from "./_find_paused.ts";
import { Sandbox } from "./_sandbox.ts";
import type { EngineParts, ExerciseAgent, GreetAgent, GuestImage } from "./_sandbox_resources.ts";
import { type Meters, noMeters } from "./meters.ts";
import { refuseBeyondHost, refuseBeyondLimits } from "./_refuse_beyond_limits.ts";
import { openTemplates } from "./_open_templates.ts";
import type { RestoreSource } from "./restore_source.ts";
import { takePooled } from "./_take_pooled.ts";
import type { Engine, ForkRequest, NewSandbox, RecordStore, RunningSandbox } from "./engine.ts";
import type { CheckpointStore } from "./checkpoints/checkpoint_store.ts";
import { createMemoryCheckpointStore } from "./checkpoints/memory_checkpoint_store.ts";
import { NodeCheckpoints } from "./checkpoints/node_checkpoints.ts";
import { createMemoryVolumeStore } from "./volumes/memory_volume_store.ts";
import { NodeVolumes } from "./volumes/node_volumes.ts";
import type { VolumeStore } from "./volumes/volume_store.ts";
import type { Volumes } from "./volumes/volumes.ts";

export interface EngineOptions {
  dataDir: string;
  image: GuestImage;
  /** Directory that every sandbox sees, read-only; `layers` in the data directory when left out. */
  layers?: string;
  /** In the order of preference: the first that works runs everybody's sandboxes. */
  drivers: Driver[];
  /** Those that a creation may ask for besides. */
  allowDrivers?: DriverName[];
  records: RecordStore;
  /** Left out: checkpoints last as long as this engine. */
  checkpointStore?: CheckpointStore;
  /** Images of earlier days that this host still has. */
  findImage?: (digest: string) => Promise<MachineImage | undefined>;
  /** Left out: volumes last as long as this engine. */
  volumeStore?: VolumeStore;
  limits?: Partial<LimitValues>;
  network?: NetworkOptions;
  /** Has a machine that becomes a template do once what clients ask for first; left out: it does not. */
  exercise?: ExerciseAgent;
  /** Connects to a machine that waits in a pool, for whoever takes it; left out: nobody does. */
  greet?: GreetAgent;
  meters?: Meters;
  /** Network slots and disks kept ready (config key `prewarmSlots`). */
  prewarmSlots?: number;
  /** Sandboxes are restored from templates; otherwise each of them boots. */
  templates?: boolean;
  /** Machines are restored ahead of demand; needs templates. */
  pool?: boolean;
  /** Where most sandboxes will be: those are made fastest. */
  region?: string;
  log: Log;
  /** Gives up on starting; a started engine ends by `close`. */
  signal?: AbortSignal;
}

const DEFAULT_PREWARM = 2;
/** In which all engines of the host have theirs. */
const CGROUP = "paddock";
const CLOSE_STEP_MS = 10_000;
const MiB = 1024 * 1024;

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
  const { log, drivers, records } = options;
  const cgroups = findHostCgroups();
  const cgroupParent = `${CGROUP}/${hash}`;
  const directory = `${dataDir}/sandboxes`;
  await reapNode({ directory, drivers, cgroups, cgroupParent, records, log, signal });

  const prewarm = options.prewarmSlots ?? DEFAULT_PREWARM;
  const { guestConnections } = limits;
  const plan = { ...await planNetwork(options.network ?? {}, log, signal), guestConnections };
  await Deno.mkdir(directory, { mode: 0o700 });
  stack.defer(async () => {
    await new Cgroup(cgroupParent, cgroups).remove(CLOSE_STEP_MS);
    removeSharedCgroup(CGROUP, cgroups);
  });
  const slots = new NetworkSlots(plan, hash, prewarm, log);
  stack.defer(() => slots.close());
  await slots.open(signal);
  const disks = new DiskPool(`${dataDir}/disks`, limits.diskBytes, prewarm, log);
  stack.defer(() => disks.close());
  await disks.open();
  const { image } = options;
  const layers = options.layers ?? `${dataDir}/layers`;
  await Deno.mkdir(layers, { recursive: true });
  const volumes = new NodeVolumes({
    ...{ image, limits, log, directory: `${dataDir}/volumes` },
    driver: () => rooms.default.parts.driver,
    store: options.volumeStore ?? createMemoryVolumeStore(),
  });
  stack.defer(() => volumes.close());
  await volumes.open();
  const forks = new ForkDirectories(`${dataDir}/forks`, log);
  stack.defer(() => forks.close());
  await forks.open();
  const sandboxes = new Map<string, Sandbox>();
  const checkpoints = new NodeCheckpoints({
    ...{ limits, log, directory: `${dataDir}/checkpoints` },
    store: options.checkpointStore ?? createMemoryCheckpointStore(),
    find: (id) => sandboxes.get(id),
    presentImage: image.digest,
    versionOf: async (driver, within) => (await rooms.choose(driver, within)).probe.version,
    forgotten: (id) => rooms.forget(id),
    image: async (digest) => digest === image.digest ? image : await options.findImage?.(digest),
  });
  stack.defer(() => checkpoints.close());
  await checkpoints.open();
  const endedLogs = new EndedLogs(`${dataDir}/logs`, limits, log);
  stack.defer(() => endedLogs.close());
  await endedLogs.open();
  const meters = options.meters ?? noMeters;
  const held = { meters, endedLogs, slots, disks, volumes, cgroups, cgroupParent };
  const furnish = async (driver: Driver, probe: ProbeResult): Promise<DriverRoom> => {
    const { exercise, greet } = options;
    const parts: EngineParts = {
      ...{ directory, image, layers, driver, limits, exercise, greet, log },
      ...held,
    };
    const templates = options.templates === false
      ? undefined
      : await openTemplates(parts, probe, `${dataDir}/templates/${driver.name}`);
    const pooled = templates && options.pool !== false;
    return {
      probe,
      parts,
      templates,
      pool: pooled ? new MachinePool(parts, templates, options.region) : undefined,
    };
  };
  const allowed = options.allowDrivers ?? [];
  const rooms = await DriverRooms.open({ drivers, allowed, furnish }, signal);
  stack.defer(() => rooms.close());
  const machines: PausedMachines = {
    keep: async (id, signal) => (await checkpoints.pause(id, signal)).id,
    use: (...of) => checkpoints.use(...of),
    remove: (id) => checkpoints.remove(id),
    refuseWithoutRoom: async (organizationId) => {
      refuseBeyondLimits([...sandboxes.values()], organizationId, limits);
      await refuseWithoutRoom(directory, limits);
    },
  };
  for (const sandbox of await findPaused({ records, checkpoints, rooms, machines, log, signal })) {
    sandboxes.set(sandbox.spec.id, sandbox);
    sandbox.ended.then(() => sandboxes.delete(sandbox.spec.id));
  }
  return new NodeEngine({ rooms, records, forks, checkpoints, sandboxes, machines }, stack.move());
}

interface NodeParts {
  rooms: DriverRooms;
  records: RecordStore;
  forks: ForkDirectories;
  checkpoints: NodeCheckpoints;
  sandboxes: Map<string, Sandbox>;
  machines: PausedMachines;
}

class NodeEngine implements Engine {
  readonly #parts: EngineParts;
  readonly #rooms: DriverRooms;
  readonly #records: RecordStore;
  readonly #forks: ForkDirectories;
  readonly checkpoints: NodeCheckpoints;
  readonly #stack: AsyncDisposableStack;
  readonly #sandboxes: Map<string, Sandbox>;
  readonly #machines: PausedMachines;
  #closing: Promise<void> | undefined;

  constructor(
    { rooms, records, forks, checkpoints, sandboxes, machines }: NodeParts,
    stack: AsyncDisposableStack,
  ) {
    this.#parts = rooms.default.parts;
    this.#rooms = rooms;
    this.#records = records;
    this.#forks = forks;
    this.checkpoints = checkpoints;
    this.#sandboxes = sandboxes;
    this.#machines = machines;
    this.#stack = stack;
  }

  get volumes(): Volumes {
    return this.#parts.volumes;
  }

  async create(spec: NewSandbox, signal: AbortSignal): Promise<RunningSandbox> {
    const { checkpoint, organizationId } = spec;
    if (checkpoint === undefined) return await this.#create(spec, signal);
    const used = await this.checkpoints.use(checkpoint, organizationId, signal);
    try {
      const { driver, memoryBytes } = used.record;
      const wanted = { ...spec, driver, memoryBytes };
      if (used.record.definition !== null) wanted.memoryBytes = spec.memoryBytes;
      if (wanted.memoryBytes !== memoryBytes) {
        await this.#refuseOtherMemory(driver, memoryBytes, signal);
      }
      return await this.#create(wanted, signal, used.source);
    } finally {
      await used.release();
    }
  }

  async #refuseOtherMemory(driver: DriverName, memoryBytes: number, signal: AbortSignal) {
    const { parts } = await this.#rooms.choose(driver, signal);
    if (!parts.driver.traits.memoryFixed) return;
    throw new PaddockError("INVALID_CONFIG", {
      message: `memory_mb: on ${driver} a sandbox has the memory of its template, ` +
        `${memoryBytes / MiB} MiB`,
      field: "memory_mb",
    });
  }

  async fork(id: string, request: ForkRequest, signal: AbortSignal): Promise<RunningSandbox[]> {
    const original = this.#sandboxes.get(id);
    if (!original) throw new PaddockError("SANDBOX_NOT_FOUND");
    return await forkSandbox({
      ...{ original, request, directories: this.#forks },
      create: (spec, source, wanted) => this.#create(spec, wanted, source),
    }, signal);
  }

  async #create(
    spec: NewSandbox,
    signal: AbortSignal,
    source?: RestoreSource,
  ): Promise<RunningSandbox> {
    // Waited for before anything else is looked at: from there to the record nothing may wait.
    const [room] = await Promise.all([
      this.#rooms.choose(spec.driver, signal),
      refuseWithoutRoom(this.#parts.directory, this.#parts.limits),
    ]);
    if (this.#closing) throw new PaddockError("SHUTTING_DOWN");
    if (signal.aborted) throw new PaddockError("ABORTED", { cause: signal.reason });
    if (spec.id && this.#sandboxes.has(spec.id)) throw new PaddockError("SANDBOX_ALREADY_EXISTS");
    refuseBeyondHost(this.list(), this.#parts.limits);
    const pooled = takePooled(room.pool, spec, source);
    const { identity } = pooled ?? {};
    const ofMachine = identity?.region === spec.region ? identity.id : undefined;
    const id = spec.id ?? ofMachine ?? newSandboxId(spec.region);
    const origins = { source, pooled };
    const sandbox = new Sandbox({ ...spec, id }, room, this.#records, this.#machines, origins);
    this.#sandboxes.set(id, sandbox);
    sandbox.ended.then(() => this.#sandboxes.delete(id));
    try {
      this.#records.insert(sandbox.record());
    } catch (error) {
      this.#sandboxes.delete(id);
      await pooled?.stack.disposeAsync();
      throw PaddockError.from(error, "CREATE_FAILED");
    }
    const { meters } = this.#parts;
    const asked = performance.now();
    try {
      await sandbox.start(signal);
    } catch (error) {
      meters.createFailed(sandbox.driver);
      throw error;
    }
    meters.created(sandbox.driver, sandbox.origin!, performance.now() - asked);
    return sandbox;
  }

  get(id: string): RunningSandbox | undefined {
    return this.#sandboxes.get(id);
  }

  list(): RunningSandbox[] {
    return [...this.#sandboxes.values()];
  }

  endedLog(id: string): Promise<string | undefined> {
    return this.#parts.endedLogs.read(id);
  }

  pools(): { driver: DriverName; waiting: number }[] {
    return this.#rooms.pools();
  }

  templatesSettled(): Promise<void> {
    return this.#rooms.settled();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#sandboxes.values()].map((sandbox) => sandbox.leave()));
    await this.#stack.disposeAsync();
  }
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

/**
 * What every kind of machine offers the engine. The engine owns networks, cgroups and disks; a
 * driver owns the machine that runs inside them.
 *
 * Preconditions a caller of `launch` and `restore` guarantees:
 * - `spec.id` is unused in this data directory, and all ids have one length (container ids of
 *   gVisor match by prefix);
 * - `spec.network.namespace` exists, holds `eth0` with the given address and route, and stays until
 *   the machine's `exited` has settled;
 * - `spec.cgroup` exists, empty, with its limits set, and is used by nothing else; every process of
 *   the machine runs in it, so that what is in the cgroup is the machine and nothing else is;
 * - `spec.diskImage` is a raw image with a fresh ext4 in it; the machine alone mounts it, where the
 *   mount cannot outlive the machine. A restore by a driver with `traits.diskInCheckpoint` is the
 *   exception: there the path is free, and the driver makes the disk from the checkpoint's;
 * - `spec.workDir` is a directory only this machine writes in;
 * - images in `spec.volumes` and `spec.rootVolume` are ext4 of the driver's `traits.volumeFormat`, and
 *   no other machine writes one that this machine writes (any number may read one). Their paths are
 *   as `volumePathProblem` allows them, none inside another. A caller of `restore` gives none.
 *
 * And a caller of `restore` besides:
 * - the checkpoint was made by this driver, with the same image, and is whole (its files are what
 *   `checkpoint` left, which the caller checks, not the driver);
 * - its directory is not changed while a machine that was restored from it lives, and with
 *   `traits.diskInCheckpoint` not removed either: it may be mapped. Without, it is read until the
 *   guest answers. A driver only reads it, so that any number of machines are restored from one;
 * - with `traits.memoryFixed`, `spec.memoryBytes` is what the checkpointed machine had;
 * - `spec.init`, `hostname`, `hosts` and `resolvConf` do not matter: what runs in the machine goes
 *   on with those it had, until the caller gives it a new identity by way of the agent.
 */
export interface Driver {
  readonly name: DriverName;
  readonly traits: DriverTraits;
  /** Boots something with this driver, for real. Never throws: what is missing is in the result. */
  probe(signal: AbortSignal): Promise<ProbeResult>;
  /**
   * Makes what the driver needs of an image, a root disk for example. Idempotent, and safe to call
   * from several places at once; `launch` and `restore` do it when nobody did.
   */
  prepare(image: MachineImage, signal: AbortSignal): Promise<void>;
  /** Resolves once the machine's process runs; the engine then waits for the agent itself. */
  launch(spec: LaunchSpec, signal: AbortSignal): Promise<Machine>;
  /** A machine that goes on where the checkpointed one stood, in a network of its own. */
  restore(spec: LaunchSpec, checkpoint: Checkpoint, signal: AbortSignal): Promise<Machine>;
  /** Ends machines an earlier daemon left behind in `stateDir`. Idempotent. */
  reap(signal: AbortSignal): Promise<ReapReport>;
}

/** What a caller has to arrange for differently from driver to driver. */
export interface DriverTraits {
  /** A checkpoint is restored with the memory size it was made with, and no other. */
  memoryFixed: boolean;
  /** A checkpoint holds the disk as a disk: a restored machine gets a copy-on-write one of it. */
  diskInCheckpoint: boolean;
  /** Guests see the layers there were at launch (or at the checkpoint's), not what is added later. */
  layersFixed: boolean;
  /** What a machine needs beside its guest's memory and `limits.machineMemoryMb`; absent: nothing. */
  machineMemoryBytes?: number;
  /** How much longer than `limits.agentStartMs` a boot may take; absent: no longer. */
  slowBootMs?: number;
  /** A guest has a clock of its own, which may be late; absent: it reads the host's. */
  ownClock?: true;
  /** Who writes the filesystem of a volume. */
  volumeFormat: VolumeFormat;
}

/**
 * `host_ext4`: the host's kernel alone has written the image, so the host may mount and check it.
 * `guest_block`: a guest's kernel has, and the host must never mount it or run a program over it.
 */
export type VolumeFormat = "host_ext4" | "guest_block";

/** A guest image: a directory with a root filesystem, never changed under its digest. */
export interface MachineImage {
  digest: string;
  rootfs: string;
}

/** What `Machine.checkpoint` left in a directory: all of it, in files that only the driver reads. */
export interface Checkpoint {
  directory: string;
  /**
   * While it is still being written: settles when it is whole, or will not be. `restore` may do before
   * what needs none of it, and fails with what this rejects with (the caller sees to a rejection before). Left out: it is whole.
   */
  written?: Promise<unknown>;
}

/** Where every guest sees the host's layers. The image has an empty directory there. */
export const LAYERS_PATH = "/opt/paddock/layers";

export type DriverName = "gvisor" | "qemu" | "firecracker";

/** Operations that not every driver can do; an operation outside this list is refused by name. */
export type Capability = "checkpoint" | "pause" | "fork" | "resize";

export interface ProbeResult {
  driver: DriverName;
  works: boolean;
  /** Version of the runtime that was found, for `doctor`. */
  version?: string;
  /** What is missing or failed, one sentence each, with what to do about it. */
  problems: string[];
  /** What works but its operator should know, one sentence each. */
  notes?: string[];
  capabilities: Capability[];
}

export interface LaunchSpec {
  id: string;
  image: MachineImage;
  /**
   * Directory of what sandboxes share beside their image. The guest sees it at `LAYERS_PATH`,
   * read-only, and also what appears in it while the machine runs (unless `traits.layersFixed`).
   */
  layers: string;
  /** Raw ext4 image that holds what the guest writes; its size is the sandbox's disk. */
  diskImage: string;
  /** Filesystems that outlive the machine, where the guest sees them. */
  volumes?: readonly VolumeMount[];
  /**
   * In place of the image as the guest's root. What the guest writes to one that is read-only goes
   * to its disk. The agent's own files are the image's all the same.
   */
  rootVolume?: RootVolume;
  /** Bundle, logs, sockets. */
  workDir: string;
  hostname: string;
  /** Content of the guest's /etc/resolv.conf and /etc/hosts. */
  resolvConf: string;
  hosts: string;
  network: NetworkSlot;
  cgroup: CgroupPath;
  /** What the guest sees as its memory; the cgroup's limit is higher by the machine's own need. */
  memoryBytes: number;
  /** How much of the machine's console is kept. */
  logBytes: number;
  /** What the machine may do to disk and network; without a limit where one is left out. */
  rateLimits?: RateLimits;
  /** The guest's first process: argv, environment. Runs as root in the guest. */
  init: { args: string[]; env: Record<string, string>; cwd: string };
}

/**
 * Bounds of a machine's devices, each a whole number for one second, with bursts of as much. A driver
 * without such bounds (all but firecracker) ignores them.
 */
export interface RateLimits {
  /** Bytes read and written together. */
  diskBytesPerSecond?: number;
  diskOperationsPerSecond?: number;
  /** In each direction for itself. */
  networkBytesPerSecond?: number;
  networkPacketsPerSecond?: number;
}

/**
 * A raw ext4 image. When the machine was stopped, or its first program has ended, what the guest wrote is in
 * the file's pages; with `guest_block` only if the guest did its part in time, and else what it synced.
 */
export interface RootVolume {
  image: string;
  readOnly: boolean;
}

export interface VolumeMount extends RootVolume {
  /** In the guest; made when it is not there. */
  path: string;
}

/** A namespace with one link to the host. Addresses are IPv4 without prefix length. */
export interface NetworkSlot {
  index: number;
  /** Name below /run/netns. */
  namespace: string;
  guestAddress: string;
  gateway: string;
  prefixLength: number;
}

/** One relative path, created by the engine in every hierarchy of cgroup v1, or the one of v2. */
export interface CgroupPath {
  version: 1 | 2;
  /** For example `paddock/sbx_ord_…`; relative to each controller's mount. */
  path: string;
}

export interface Machine {
  readonly id: string;
  /** Host process that lives as long as the machine does. */
  readonly pid: number;
  /** Settles exactly once, however the machine ends; never rejects. */
  readonly exited: Promise<MachineExit>;
  /** Idempotent. Resolves when no process, mount or file of the machine is left. */
  stop(signal?: AbortSignal): Promise<void>;
  usage(): Promise<MachineUsage>;
  /**
   * Writes the machine's memory and disk into `directory`, which must not exist. The machine pauses
   * for it and then goes on; established connections to it may break. When it fails, the directory
   * is gone again and the machine runs as before. Who keeps it has its files synced (`syncTree`): a
   * crash of the host may take them away until then.
   */
  checkpoint(directory: string, signal: AbortSignal): Promise<CheckpointReport>;
  /** Stops the guest's processors, nothing else. Idempotent, as is `resume`. */
  pause(signal: AbortSignal): Promise<void>;
  resume(signal: AbortSignal): Promise<void>;
  /** Changes how much memory the guest may use, up to what it was launched with. */
  resize(memoryBytes: number, signal: AbortSignal): Promise<void>;
  /** The console of the machine and its first process, newest last, bounded by `logBytes`. */
  console(): string;
}

export interface MachineExit {
  /** `guest_exited`: its first process returned; `crashed`: it or the machine was killed. */
  reason: "stopped" | "guest_exited" | "out_of_memory" | "crashed";
  code?: number;
  signal?: string;
  /** The end of the machine's own log, for the daemon's log only. */
  detail?: string;
}

export interface MachineUsage {
  memoryBytes: number;
  cpuMicroseconds: number;
}

export interface CheckpointReport {
  /** How long the guest stood still. */
  pausedMs: number;
}

export interface ReapReport {
  machines: string[];
}

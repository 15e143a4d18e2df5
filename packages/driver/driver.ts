/**
 * What every kind of machine offers the engine. The engine owns networks, cgroups and disks; a
 * driver owns the machine that runs inside them.
 *
 * Preconditions a caller of `launch` guarantees:
 * - `spec.id` is unused in this data directory, and all ids have one length (container ids of
 *   gVisor match by prefix);
 * - `spec.network.namespace` exists, holds `eth0` with the given address and route, and stays until
 *   the machine's `exited` has settled;
 * - `spec.cgroup` exists, empty, with its limits set, and is used by nothing else; every process of
 *   the machine runs in it, so that what is in the cgroup is the machine and nothing else is;
 * - `spec.diskImage` is a raw image with a fresh ext4 in it; the machine alone mounts it, where the
 *   mount cannot outlive the machine;
 * - `spec.workDir` is a directory only this machine writes in.
 */
export interface Driver {
  readonly name: DriverName;
  /** Boots something with this driver, for real. Never throws: what is missing is in the result. */
  probe(signal: AbortSignal): Promise<ProbeResult>;
  /** Resolves once the machine's process runs; the engine then waits for the agent itself. */
  launch(spec: LaunchSpec, signal: AbortSignal): Promise<Machine>;
  /** Ends machines an earlier daemon left behind in `stateDir`. Idempotent. */
  reap(signal: AbortSignal): Promise<ReapReport>;
}

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
  capabilities: Capability[];
}

export interface LaunchSpec {
  id: string;
  /** Read-only root filesystem of the guest image. */
  rootfs: string;
  /** Raw ext4 image that holds what the guest writes; its size is the sandbox's disk. */
  diskImage: string;
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
  /** The guest's first process: argv, environment. Runs as root in the guest. */
  init: { args: string[]; env: Record<string, string>; cwd: string };
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

export interface ReapReport {
  machines: string[];
}

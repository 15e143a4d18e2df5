/**
 * What every kind of machine offers the engine. The engine owns networks, cgroups and disks; a
 * driver owns the machine that runs inside them.
 *
 * Preconditions a caller of `launch` guarantees:
 * - `spec.id` is unused in this data directory, and all ids have one length (container ids of
 *   gVisor match by prefix);
 * - `spec.network.namespace` exists, holds `eth0` with the given address and route, and stays until
 *   the machine's `exited` has settled;
 * - `spec.cgroup` exists with its limits set; `spec.diskDir` is an empty directory on a filesystem
 *   of the sandbox's disk size; `spec.workDir` is an empty directory only this machine uses.
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
  /** Where the machine keeps what the guest writes (limited in size by its filesystem). */
  diskDir: string;
  /** Bundle, logs, sockets. */
  workDir: string;
  hostname: string;
  network: NetworkSlot;
  cgroup: CgroupPath;
  memoryBytes: number;
  cpus: number;
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
  /** Host process that is the machine (the sentry, the VMM). */
  readonly pid: number;
  /** Settles exactly once, however the machine ends; never rejects. */
  readonly exited: Promise<MachineExit>;
  /** Idempotent. Resolves when no process, mount or file of the machine is left. */
  stop(signal?: AbortSignal): Promise<void>;
  usage(): Promise<MachineUsage>;
}

export interface MachineExit {
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

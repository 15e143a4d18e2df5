import type { CgroupPath } from "./driver.ts";
import { sleep } from "./sleep.ts";

/** The controllers a sandbox is bounded and measured by. */
const CONTROLLERS = ["memory", "cpu", "cpuacct", "pids"] as const;
type Controller = typeof CONTROLLERS[number];

export interface CgroupLimits {
  memoryBytes: number;
  pids: number;
}

const CPU_PERIOD_US = 100_000;
/** For a killed process to end, and for the kernel to see that a cgroup is empty. */
const DEADLINE_MS = 10_000;
/** Between two looks at whether what was killed has ended: somebody waits for each of them. */
const LONGEST_LOOK_MS = 4;
/** What v1 takes for a weight of v2: 1024 is the usual one there. */
const SHARES_PER_WEIGHT = 10.24;

/** Where this host's hierarchies are mounted. */
export interface CgroupHost {
  version: 1 | 2;
  /** One mount point per controller; of v2 all are the same. */
  mounts: Record<Controller, string>;
}

/** Reads /proc/self/mountinfo. Throws with what is missing when sandboxes cannot be bounded. */
export function findCgroups(mountinfo = Deno.readTextFileSync("/proc/self/mountinfo")): CgroupHost {
  const found = new Map<string, string>();
  let unified: string | undefined;
  for (const line of mountinfo.split("\n")) {
    const [left, right] = line.split(" - ");
    if (right === undefined) continue;
    const mountPoint = left.split(" ")[4];
    const [type, , options = ""] = right.split(" ");
    if (type === "cgroup2") unified ??= mountPoint;
    if (type !== "cgroup") continue;
    for (const option of options.split(",")) if (!found.has(option)) found.set(option, mountPoint);
  }
  if (CONTROLLERS.every((name) => found.has(name))) {
    const mounts = Object.fromEntries(CONTROLLERS.map((name) => [name, found.get(name)!]));
    return { version: 1, mounts: mounts as Record<Controller, string> };
  }
  if (unified !== undefined) {
    const mount = unified;
    const mounts = Object.fromEntries(CONTROLLERS.map((name) => [name, mount]));
    return { version: 2, mounts: mounts as Record<Controller, string> };
  }
  const missing = CONTROLLERS.filter((name) => !found.has(name));
  throw new Error(`cgroup controllers are not mounted: ${missing.join(", ")}`);
}

/**
 * One cgroup that holds one machine, in every hierarchy of v1 or the one of v2. Each method may be
 * repeated, and tolerates that the cgroup is gone.
 */
export class Cgroup {
  readonly path: CgroupPath;
  readonly #host: CgroupHost;

  constructor(path: string, host: CgroupHost = findCgroups()) {
    this.path = { version: host.version, path };
    this.#host = host;
  }

  /** The directories to join: a process is in the cgroup once its pid is in each of them. */
  get directories(): string[] {
    return [...new Set(CONTROLLERS.map((name) => `${this.#host.mounts[name]}/${this.path.path}`))];
  }

  #file(controller: Controller, name: string): string {
    return `${this.#host.mounts[controller]}/${this.path.path}/${name}`;
  }

  create(limits: CgroupLimits): void {
    try {
      this.#make();
    } catch (error) {
      // Another engine has just removed what both are in, as the last that was in it.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      this.#make();
    }
    if (this.path.version === 2) {
      write(this.#file("memory", "memory.max"), limits.memoryBytes);
      writeIfPresent(this.#file("memory", "memory.swap.max"), 0);
      // A machine of which the kernel killed one part is of no use to anybody.
      writeIfPresent(this.#file("memory", "memory.oom.group"), 1);
    } else {
      write(this.#file("memory", "memory.limit_in_bytes"), limits.memoryBytes);
      writeIfPresent(this.#file("memory", "memory.swappiness"), 0);
    }
    write(this.#file("pids", "pids.max"), limits.pids);
  }

  #make(): void {
    if (this.path.version === 2) enableControllers(this.#host.mounts.memory, this.path.path);
    for (const directory of this.directories) Deno.mkdirSync(directory, { recursive: true });
  }

  limitCpus(cpus: number): void {
    const quota = Math.max(1_000, Math.round(cpus * CPU_PERIOD_US));
    if (this.path.version === 2) {
      write(this.#file("cpu", "cpu.max"), `${quota} ${CPU_PERIOD_US}`);
    } else {
      write(this.#file("cpu", "cpu.cfs_period_us"), CPU_PERIOD_US);
      write(this.#file("cpu", "cpu.cfs_quota_us"), quota);
    }
  }

  /** Its part of processors that others want as well, where 100 is the usual one. */
  setWeight(weight: number): void {
    if (this.path.version === 2) write(this.#file("cpu", "cpu.weight"), weight);
    else write(this.#file("cpu", "cpu.shares"), Math.round(weight * SHARES_PER_WEIGHT));
  }

  processes(): number[] {
    const pids = new Set<number>();
    for (const directory of this.directories) {
      const text = read(`${directory}/cgroup.procs`) ?? "";
      for (const line of text.split("\n")) if (line !== "") pids.add(Number(line));
    }
    return [...pids];
  }

  /** Whether a thread inside runs, or would if it had a processor. */
  isBusy(): boolean {
    const threads = this.path.version === 2
      ? read(this.#file("cpu", "cgroup.threads"))
      : read(this.#file("cpu", "tasks"));
    return (threads ?? "").split("\n").some((thread) => {
      const stat = thread === "" ? undefined : read(`/proc/${thread}/stat`);
      // The state comes after the name, which may have any character in it.
      return stat?.charAt(stat.lastIndexOf(")") + 2) === "R";
    });
  }

  /** SIGKILL to everything inside until nothing is left. Throws when that takes too long. */
  async kill(deadlineMs = DEADLINE_MS): Promise<void> {
    const end = performance.now() + deadlineMs;
    if (this.path.version === 2) writeIfPresent(this.#file("memory", "cgroup.kill"), 1);
    for (let wait = 1;; wait = Math.min(wait * 2, LONGEST_LOOK_MS)) {
      const pids = this.processes();
      if (pids.length === 0) return;
      for (const pid of pids) killProcess(pid);
      if (performance.now() > end) {
        throw new Error(`processes ${pids.join(", ")} survived SIGKILL for ${deadlineMs} ms`);
      }
      await sleep(wait);
    }
  }

  /** How often the kernel killed something in here for want of memory. */
  oomKills(): number {
    const file = this.path.version === 2 ? "memory.events" : "memory.oom_control";
    return Number(/^oom_kill (\d+)$/m.exec(read(this.#file("memory", file)) ?? "")?.[1] ?? 0);
  }

  /** What the machine holds and cannot give back: its page cache is not counted. */
  memoryBytes(): number {
    const stat = read(this.#file("memory", "memory.stat")) ?? "";
    const names = this.path.version === 2 ? ["anon", "shmem", "kernel"] : ["rss", "shmem"];
    return names.reduce(
      (sum, name) => sum + Number(new RegExp(`^${name} (\\d+)$`, "m").exec(stat)?.[1] ?? 0),
      0,
    );
  }

  cpuMicroseconds(): number {
    if (this.path.version === 2) {
      const stat = read(this.#file("cpu", "cpu.stat")) ?? "";
      return Number(/^usage_usec (\d+)$/m.exec(stat)?.[1] ?? 0);
    }
    return Math.round(Number(read(this.#file("cpuacct", "cpuacct.usage")) ?? 0) / 1_000);
  }

  /** Removes the cgroup, which must be empty; the kernel may take a moment to see that it is. */
  async remove(deadlineMs = DEADLINE_MS): Promise<void> {
    const end = performance.now() + deadlineMs;
    for (const directory of this.directories) {
      for (let wait = 1;; wait = Math.min(wait * 2, 50)) {
        try {
          Deno.removeSync(directory);
          break;
        } catch (error) {
          if (error instanceof Deno.errors.NotFound) break;
          if (performance.now() > end) throw error;
        }
        await sleep(wait);
      }
    }
  }
}

/** Removes a cgroup that others may share, if none of them is in it. */
export function removeSharedCgroup(path: string, host: CgroupHost = findCgroups()): void {
  for (const directory of new Cgroup(path, host).directories) {
    try {
      Deno.removeSync(directory);
    } catch {
      // Somebody is in it, or it is gone.
    }
  }
}

/** Names of the cgroups directly below `parent`, in any hierarchy. */
export function childCgroups(parent: string, host: CgroupHost = findCgroups()): string[] {
  const names = new Set<string>();
  for (const mount of new Set(Object.values(host.mounts))) {
    try {
      for (const entry of Deno.readDirSync(`${mount}/${parent}`)) {
        if (entry.isDirectory) names.add(entry.name);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return [...names];
}

/** In v2 a controller reaches a cgroup only when every ancestor hands it down. */
function enableControllers(mount: string, path: string): void {
  let directory = mount;
  for (const part of path.split("/")) {
    write(`${directory}/cgroup.subtree_control`, "+memory +cpu +pids");
    directory = `${directory}/${part}`;
    Deno.mkdirSync(directory, { recursive: true });
  }
}

function killProcess(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function write(path: string, value: string | number): void {
  Deno.writeTextFileSync(path, String(value), { create: false });
}

function writeIfPresent(path: string, value: string | number): void {
  try {
    write(path, value);
  } catch {
    // Kernels differ in which of these they have, and none is needed for the bound itself.
  }
}

function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

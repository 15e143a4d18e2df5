import type { Identity } from "../identity/identity.ts";
import type { GuestProcess } from "./guest_process.ts";
import { anonymousBytes, listTasks, ProcFile, type TaskInfo } from "./proc.ts";

const MiB = 1024 * 1024;
const SLOWEST_POLL_MS = 100;
const FASTEST_POLL_MS = 5;
/** Most commands are over before anybody needs to look at them. */
const FIRST_POLL_MS = 40;
/** More than a guest is seen to allocate in a millisecond. */
const ALLOCATION_BYTES_PER_MS = 2 * MiB;
const TASK_SCAN_MS = 250;
/** More than the program files that a process is seen to have in memory. */
const PROGRAM_BYTES = 160 * MiB;
/** Ending a group smaller than this share of the memory would not help. */
const WORTHWHILE_SHARE = 0.05;

export interface MemoryPoliceOptions {
  identity: Identity;
  memoryBytes: number;
  maxTasks: number;
  source: "meminfo" | "processes";
  /** Processes of clients that run. */
  processes: Iterable<GuestProcess>;
  /** Whether anything runs that could grow. */
  active(): boolean;
  /** Memory is short: whatever the agent itself can spare goes first. True when that was something. */
  relieve(): boolean;
  log(message: string): void;
}

/**
 * Ends the largest group of guest processes before the host ends the whole sandbox: a cgroup that
 * runs out of memory or pids takes the guest's kernel with it.
 */
export class MemoryPolice {
  readonly #options: MemoryPoliceOptions;
  #threshold = Infinity;
  #meminfo: ProcFile | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastTaskScan = 0;
  #stopped = false;

  constructor(options: MemoryPoliceOptions) {
    this.#options = options;
    this.memoryBytes = options.memoryBytes;
  }

  /** 0: not known, memory is not watched. */
  set memoryBytes(memoryBytes: number) {
    const reserve = Math.min(64 * MiB, Math.max(24 * MiB, memoryBytes * 0.08));
    this.#threshold = memoryBytes > 0 ? memoryBytes - reserve : Infinity;
  }

  /** Looks again soon: something was started. */
  wake(): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#lastTaskScan = Date.now();
    this.#schedule(FIRST_POLL_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#meminfo?.close();
    this.#meminfo = undefined;
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      let next = SLOWEST_POLL_MS;
      try {
        next = this.#look();
      } catch (error) {
        this.#options.log(`the memory police could not look: ${error}`);
      }
      if (!this.#stopped && this.#options.active()) this.#schedule(next);
    }, delayMs);
  }

  /** Looks once, acts, and says in how many milliseconds to look again. */
  #look(): number {
    this.#limitTasks();
    if (this.#threshold === Infinity) return SLOWEST_POLL_MS;
    const used = this.#usedBytes();
    if (used > this.#threshold) {
      if (!this.#options.relieve()) this.#endLargest(used);
      return FASTEST_POLL_MS * 2;
    }
    const headroomMs = (this.#threshold - used) / ALLOCATION_BYTES_PER_MS;
    return Math.min(SLOWEST_POLL_MS, Math.max(FASTEST_POLL_MS, headroomMs));
  }

  #usedBytes(): number {
    if (this.#options.source === "processes") {
      return this.#groups().reduce((sum, group) => sum + group.bytes, 0);
    }
    this.#meminfo ??= new ProcFile("/proc/meminfo");
    const text = this.#meminfo.read();
    const field = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) * 1024;
    return field("AnonPages") + field("Shmem");
  }

  #limitTasks(): void {
    const now = Date.now();
    if (now - this.#lastTaskScan < TASK_SCAN_MS) return;
    this.#lastTaskScan = now;
    const { maxTasks } = this.#options;
    const groups = this.#groups();
    const total = groups.reduce((sum, group) => sum + group.threads, 0);
    if (total <= maxTasks) return;
    const largest = groups.reduce((most, group) => group.threads > most.threads ? group : most);
    this.#options.log(
      `${total} processes and threads are more than ${maxTasks}: ending the ${largest.threads} of ` +
        `process ${largest.leader}`,
    );
    this.#end(largest);
  }

  #endLargest(used: number): void {
    const groups = this.#groups();
    if (groups.length === 0) return;
    const ofRank = groups.sort((a, b) => b.bytes - a.bytes);
    // The files that programs are made of count as resident, too, and a Deno is a large program:
    // where that could decide, what is really theirs is looked up, which takes its time.
    const rivals = ofRank.filter(({ bytes }) => bytes > ofRank[0].bytes - PROGRAM_BYTES);
    if (rivals.length > 1) { for (const rival of rivals) rival.bytes = ownBytes(rival.tasks); }
    const largest = rivals.reduce((most, group) => group.bytes > most.bytes ? group : most);
    if (largest.bytes < this.#options.memoryBytes * WORTHWHILE_SHARE) return;
    const mb = (bytes: number) => `${Math.round(bytes / MiB)} MiB`;
    this.#options.log(
      `memory is short (${mb(used)} of ${mb(this.#options.memoryBytes)}): ending process ` +
        `${largest.leader}, which holds ${mb(largest.bytes)}`,
    );
    this.#end(largest);
  }

  #end(group: Group): void {
    group.process?.killForMemory();
    this.#options.identity.asRoot(() => {
      for (const { pid } of group.tasks) {
        try {
          Deno.kill(pid, "SIGKILL");
        } catch {
          // Ended meanwhile.
        }
      }
    });
  }

  /** Guest processes by the client's process they descend from, or by session without one. */
  #groups(): Group[] {
    const tasks = new Map(listTasks().map((task) => [task.pid, task]));
    const known = new Map<number, GuestProcess>();
    for (const process of this.#options.processes) known.set(process.pid, process);
    const groups = new Map<number, Group>();
    const ancestorOf = (task: TaskInfo): number | undefined => {
      if (known.has(task.session)) return task.session;
      for (let at: TaskInfo | undefined = task, hops = 0; at && hops < 64; hops++) {
        if (known.has(at.pid)) return at.pid;
        if (at.pid === Deno.pid) return task.session;
        at = tasks.get(at.parent);
      }
      // On a machine of its own everything else is a guest's orphan; elsewhere it is none of ours.
      return this.#options.source === "meminfo" ? task.session : undefined;
    };
    for (const task of tasks.values()) {
      if (task.pid === Deno.pid || task.pid === 1) continue;
      const leader = ancestorOf(task);
      if (leader === undefined) continue;
      let group = groups.get(leader);
      if (!group) {
        group = { leader, process: known.get(leader), tasks: [], bytes: 0, threads: 0 };
        groups.set(leader, group);
      }
      group.tasks.push(task);
      group.bytes += task.residentBytes;
      group.threads += task.threads;
    }
    return [...groups.values()];
  }
}

/** Memory that goes when the processes end, unlike that of the files they have mapped. */
function ownBytes(tasks: TaskInfo[]): number {
  return tasks.reduce(
    (sum, { pid, residentBytes }) => sum + (anonymousBytes(pid) ?? residentBytes),
    0,
  );
}

interface Group {
  leader: number;
  process: GuestProcess | undefined;
  tasks: TaskInfo[];
  bytes: number;
  threads: number;
}

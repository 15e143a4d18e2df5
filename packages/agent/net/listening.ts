import type { Identity } from "../identity/identity.ts";
import { listTasks, ProcFile } from "../process/proc.ts";

const LISTEN_STATE = "0A";
const FAST_POLL_MS = 20;
const SLOW_POLL_MS = 200;
/** How long a program that just started is watched closely. */
const FAST_FOR_MS = 5_000;

interface Listener {
  inode: string;
  port: number;
}

interface Waiter {
  pid: number;
  since: number;
  found(port: number): void;
}

/** Finds the ports that guest processes listen on, and waits until they do. */
export class ListeningPorts {
  readonly #identity: Identity;
  readonly #tables: ProcFile[] = [];
  readonly #waiters = new Set<Waiter>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #seen = "";

  constructor(identity: Identity) {
    this.#identity = identity;
    for (const path of ["/proc/net/tcp", "/proc/net/tcp6"]) {
      try {
        this.#tables.push(new ProcFile(path));
      } catch {
        // A kernel without IPv6 has no table of it.
      }
    }
  }

  /** A port that the process, or one of its session or descent, listens on. */
  portOf(pid: number): number | undefined {
    return this.#identity.asRoot(() => this.#portOf(pid, this.#listeners()));
  }

  /** The port once there is one; undefined when the signal is aborted first. */
  wait(pid: number, signal: AbortSignal): Promise<number | undefined> {
    const port = signal.aborted ? undefined : this.portOf(pid);
    if (port !== undefined || signal.aborted) return Promise.resolve(port);
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    const waiter: Waiter = { pid, since: Date.now(), found: (port) => finish(port) };
    const finish = (port?: number) => {
      this.#waiters.delete(waiter);
      signal.removeEventListener("abort", abandon);
      resolve(port);
    };
    const abandon = () => finish();
    signal.addEventListener("abort", abandon);
    this.#waiters.add(waiter);
    this.#seen = "";
    this.#schedule();
    return promise;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#waiters.size === 0) return;
    const now = Date.now();
    const close = [...this.#waiters].some(({ since }) => now - since < FAST_FOR_MS);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#look();
      } finally {
        this.#schedule();
      }
    }, close ? FAST_POLL_MS : SLOW_POLL_MS);
  }

  #look(): void {
    const listeners = this.#listeners();
    // Who holds which socket is looked up only when the set of sockets has changed.
    const seen = listeners.map(({ inode }) => inode).sort().join();
    if (seen === this.#seen) return;
    this.#seen = seen;
    for (const waiter of [...this.#waiters]) {
      const port = this.#identity.asRoot(() => this.#portOf(waiter.pid, listeners));
      if (port !== undefined) waiter.found(port);
    }
  }

  #listeners(): Listener[] {
    const listeners: Listener[] = [];
    for (const table of this.#tables) {
      for (const line of table.read().split("\n").slice(1)) {
        const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
        if (state !== LISTEN_STATE) continue;
        listeners.push({ inode, port: parseInt(local.slice(local.lastIndexOf(":") + 1), 16) });
      }
    }
    return listeners;
  }

  #portOf(pid: number, listeners: Listener[]): number | undefined {
    if (listeners.length === 0) return undefined;
    const ports = new Map(listeners.map(({ inode, port }) => [`socket:[${inode}]`, port]));
    const tasks = listTasks();
    const family = new Set([pid]);
    for (const task of tasks) {
      if (task.session === pid || family.has(task.parent)) family.add(task.pid);
    }
    const found: number[] = [];
    for (const member of family) {
      try {
        for (const { name } of Deno.readDirSync(`/proc/${member}/fd`)) {
          const port = ports.get(linkOf(`/proc/${member}/fd/${name}`));
          if (port !== undefined) found.push(port);
        }
      } catch {
        // It ended, or its files are not shown to us.
      }
    }
    return found.length === 0 ? undefined : Math.min(...found);
  }
}

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

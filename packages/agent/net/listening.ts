import type { Identity } from "../identity/identity.ts";
import { listTasks, ProcFile } from "../process/proc.ts";

const LISTEN_STATE = "0A";
const FAST_POLL_MS = 20;
const SLOW_POLL_MS = 75;
/** How long a program that just started is watched closely. */
const FAST_FOR_MS = 5_000;

/** Where a server is reached from inside. */
export interface ListeningAddress {
  hostname: string;
  port: number;
}

interface Listener extends ListeningAddress {
  inode: string;
}

/** Which descriptor of a process the socket was. */
interface Found extends ListeningAddress {
  link: string;
  target: string;
}

/** More processes than this do not serve at once. */
const MAX_REMEMBERED = 256;

interface Waiter {
  pid: number;
  since: number;
  found(): void;
}

/** Finds the ports that guest processes listen on, and waits until they do. */
export class ListeningPorts {
  readonly #identity: Identity;
  readonly #tables: ProcFile[] = [];
  readonly #waiters = new Set<Waiter>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #seen = "";
  readonly #remembered = new Map<number, Found>();

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
    return this.addressOf(pid)?.port;
  }

  /** The address of that port: a server on IPv6 alone is not reached at 127.0.0.1. */
  addressOf(pid: number): ListeningAddress | undefined {
    return this.#identity.asRoot(() => {
      // A look at one link, where all processes would have to be looked through.
      const known = this.#remembered.get(pid);
      if (known && linkOf(known.link) === known.target) return known;
      this.#remembered.delete(pid);
      const found = this.#addressOf(pid, this.#listeners());
      if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
      if (found) this.#remembered.set(pid, found);
      return found;
    });
  }

  /** True once there is one; false when the signal is aborted first. */
  wait(pid: number, signal: AbortSignal): Promise<boolean> {
    const found = !signal.aborted && this.addressOf(pid) !== undefined;
    if (found || signal.aborted) return Promise.resolve(found);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter: Waiter = { pid, since: Date.now(), found: () => finish(true) };
    const finish = (found: boolean) => {
      this.#waiters.delete(waiter);
      signal.removeEventListener("abort", abandon);
      resolve(found);
    };
    const abandon = () => finish(false);
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
      const address = this.#identity.asRoot(() => this.#addressOf(waiter.pid, listeners));
      if (address !== undefined) waiter.found();
    }
  }

  #listeners(): Listener[] {
    const listeners: Listener[] = [];
    for (const table of this.#tables) {
      for (const line of table.read().split("\n").slice(1)) {
        const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
        if (state !== LISTEN_STATE) continue;
        const [address, port] = local.split(":");
        listeners.push({ inode, hostname: hostnameOf(address), port: parseInt(port, 16) });
      }
    }
    return listeners;
  }

  #addressOf(pid: number, listeners: Listener[]): Found | undefined {
    if (listeners.length === 0) return undefined;
    const sockets = new Map(listeners.map((listener) => [`socket:[${listener.inode}]`, listener]));
    const tasks = listTasks();
    const family = new Set([pid]);
    for (const task of tasks) {
      if (task.session === pid || family.has(task.parent)) family.add(task.pid);
    }
    const found: Found[] = [];
    for (const member of family) {
      try {
        for (const { name } of Deno.readDirSync(`/proc/${member}/fd`)) {
          const link = `/proc/${member}/fd/${name}`;
          const target = linkOf(link);
          const listener = sockets.get(target);
          if (listener) found.push({ ...listener, link, target });
        }
      } catch {
        // It ended, or its files are not shown to us.
      }
    }
    return found.sort((a, b) => a.port - b.port)[0];
  }
}

/**
 * Of an address as the kernel's tables write it: words of four bytes in the machine's order. That of
 * any address stands for this machine's.
 */
export function hostnameOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) =>
    word.match(/../g)!.map((byte) => parseInt(byte, 16)).reverse()
  );
  const last = bytes.slice(-4).join(".");
  if (bytes.length === 4) return last === "0.0.0.0" ? "127.0.0.1" : last;
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff;
  if (isMapped) return last === "0.0.0.0" ? "127.0.0.1" : last;
  if (bytes.every((byte) => byte === 0)) return "127.0.0.1";
  const groups = [];
  for (let at = 0; at < 16; at += 2) groups.push((bytes[at] << 8 | bytes[at + 1]).toString(16));
  return `[${groups.join(":")}]`;
}

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

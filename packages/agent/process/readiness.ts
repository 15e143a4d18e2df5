import { Errno, system } from "./system.ts";

const EPOLL_CLOEXEC = 0o2000000;
const Operation = { add: 1, remove: 2, change: 3 } as const;
const Interest = { read: 1, write: 4, once: 0x4000_0000 } as const;
/** The structure is packed on x86 alone. */
const EVENT_BYTES = Deno.build.arch === "x86_64" ? 12 : 16;
const DATA_OFFSET = EVENT_BYTES - 8;
const MAX_EVENTS = 64;
const FOREVER = -1;

/**
 * Waits for pipes, all of them on one thread, which exists only while something waits. Deno takes
 * over no descriptors but through its Node modules, whose memory every idle sandbox would pay for.
 */
export class Readiness {
  readonly #calls = system();
  readonly #epoll: number;
  readonly #waiting = new Map<number, () => void>();
  readonly #known = new Set<number>();
  #looping = false;

  constructor() {
    this.#epoll = this.#calls.epoll_create1(EPOLL_CLOEXEC);
    if (this.#epoll < 0) throw new Error(`epoll_create1 failed (os error ${this.#calls.errno()})`);
  }

  /** Resolves once the descriptor can be read or written, has lost its other end, or is forgotten. */
  wait(fd: number, interest: "read" | "write"): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const event = new DataView(new ArrayBuffer(EVENT_BYTES));
    event.setUint32(0, Interest[interest] | Interest.once, true);
    event.setInt32(DATA_OFFSET, fd, true);
    const operation = this.#known.has(fd) ? Operation.change : Operation.add;
    if (this.#calls.epoll_ctl(this.#epoll, operation, fd, event) !== 0) {
      throw new Error(`A pipe cannot be waited for (os error ${this.#calls.errno()})`);
    }
    this.#known.add(fd);
    this.#waiting.set(fd, resolve);
    if (!this.#looping) void this.#loop();
    return promise;
  }

  /** Who waits for it goes on, and looks for itself. */
  wake(fd: number): void {
    const resolve = this.#waiting.get(fd);
    this.#waiting.delete(fd);
    resolve?.();
  }

  /** Comes before the descriptor is closed; who waits for it goes on. */
  forget(fd: number): void {
    if (this.#known.delete(fd)) {
      this.#calls.epoll_ctl(this.#epoll, Operation.remove, fd, new Uint8Array(EVENT_BYTES));
    }
    this.wake(fd);
  }

  async #loop(): Promise<void> {
    this.#looping = true;
    const events = new DataView(new ArrayBuffer(EVENT_BYTES * MAX_EVENTS));
    // Once nobody waits the loop stays in its last call, which the next to wait brings to an end.
    while (this.#waiting.size > 0) {
      const count = await this.#calls.epoll_wait(this.#epoll, events, MAX_EVENTS, FOREVER);
      for (let i = 0; i < count; i++) {
        this.wake(events.getInt32(i * EVENT_BYTES + DATA_OFFSET, true));
      }
    }
    this.#looping = false;
  }
}

let shared: Readiness | undefined;

/** The one of this process. */
export function readiness(): Readiness {
  return shared ??= new Readiness();
}

/** Whether a call that failed would succeed later. */
export function isTemporary(errno: number): boolean {
  return errno === Errno.EAGAIN || errno === Errno.EINTR;
}

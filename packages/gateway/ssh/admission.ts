import type { LimitValues } from "@paddock/protocol";

type Limits = Pick<LimitValues, "sshConnections" | "sshHandshakes" | "sshAuthFailuresPerMinute">;

const MINUTE_MS = 60_000;
/** Addresses whose failures are counted; beyond it the oldest are forgotten. */
const MAX_ADDRESSES = 10_000;

/** The way a connection is counted; `release` may be called again. */
export interface Admitted {
  /** It has shown a right user name and no longer counts among those that have not. */
  authenticated(): void;
  /** It has shown a wrong one. */
  failed(): void;
  release(): void;
}

/** Who may connect, before a byte of theirs is read: key exchanges cost time, and connections memory. */
export class Admission {
  readonly #limits: Limits;
  readonly #now: () => number;
  #connections = 0;
  #handshakes = 0;
  readonly #handshakesOf = new Map<string, number>();
  readonly #failuresOf = new Map<string, { since: number; count: number }>();

  constructor(limits: Limits, now: () => number = Date.now) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Undefined when the connection must be turned away. */
  admit(remoteAddress: string): Admitted | undefined {
    const { sshConnections, sshHandshakes, sshAuthFailuresPerMinute } = this.#limits;
    const source = sourceOf(remoteAddress);
    const ofSource = this.#handshakesOf.get(source) ?? 0;
    if (
      this.#connections >= sshConnections || this.#handshakes >= sshHandshakes ||
      ofSource >= Math.ceil(sshHandshakes / 4) ||
      this.#failures(source) >= sshAuthFailuresPerMinute
    ) return undefined;
    this.#connections++;
    this.#handshakes++;
    this.#handshakesOf.set(source, ofSource + 1);
    let state: "handshake" | "authenticated" | "released" = "handshake";
    const leaveHandshake = () => {
      if (state !== "handshake") return;
      this.#handshakes--;
      const left = this.#handshakesOf.get(source)! - 1;
      if (left > 0) this.#handshakesOf.set(source, left);
      else this.#handshakesOf.delete(source);
    };
    return {
      authenticated() {
        leaveHandshake();
        if (state === "handshake") state = "authenticated";
      },
      failed: () => this.#countFailure(source),
      release: () => {
        leaveHandshake();
        if (state !== "released") this.#connections--;
        state = "released";
      },
    };
  }

  #failures(source: string): number {
    const failures = this.#failuresOf.get(source);
    return failures && this.#now() - failures.since < MINUTE_MS ? failures.count : 0;
  }

  #countFailure(source: string): void {
    const failures = this.#failuresOf.get(source);
    if (failures && this.#now() - failures.since < MINUTE_MS) {
      failures.count++;
      return;
    }
    this.#failuresOf.delete(source);
    if (this.#failuresOf.size >= MAX_ADDRESSES) {
      const [oldest] = this.#failuresOf.keys();
      this.#failuresOf.delete(oldest);
    }
    this.#failuresOf.set(source, { since: this.#now(), count: 1 });
  }
}

/** One household has a /64 of IPv6 addresses and would otherwise be counted as many. */
export function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1];
  if (!address.includes(":")) return address;
  const [head, tail] = address.toLowerCase().split("%")[0].split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array(Math.max(0, 8 - left.length - right.length)).fill("0");
  return [...left, ...zeros, ...right].slice(0, 4).map((part) => part.replace(/^0+(?=.)/, ""))
    .join(":");
}

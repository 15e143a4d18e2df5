import { waits } from "./_defaults.ts";

export interface HeartbeatOptions {
  send(text: string): void;
  bufferedAmount(): number;
  /** Called at most once. */
  onSilence(ms: number): void;
}

/** Sent bytes between two ticks that show that the other side still takes what we send. */
const progressBytes = 64 * 1024;

/**
 * Notices that the other side is gone although nobody said so. Pings every few seconds; silence is
 * counted in ticks of this program's own clock, so that a program that was busy or suspended for a
 * minute does not take its own pause for the other side's.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #silentTicks = 0;
  #sentBytes = 0;
  #leftAtLastTick = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), waits.pingIntervalMs);
  }

  /** Something arrived. */
  alive(): void {
    this.#silentTicks = 0;
  }

  /** Something was handed to the socket. */
  sent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    // A ping waits behind what was sent before it: on a slow link that takes as long as it takes.
    const left = this.#sentBytes - this.#options.bufferedAmount();
    if (left - this.#leftAtLastTick > progressBytes) this.#silentTicks = 0;
    this.#leftAtLastTick = left;
    if (this.#silentTicks * waits.pingIntervalMs >= waits.silenceMs) {
      this.stop();
      this.#options.onSilence(waits.silenceMs);
      return;
    }
    this.#silentTicks++;
    this.#options.send("ping");
  }
}

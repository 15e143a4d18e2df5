import { StopTimer } from "./_stop_timer.ts";

/**
 * Counts who is connected to a sandbox, and calls back when nobody was for so long. What a program in
 * there does while nobody is connected does not count.
 */
export class IdleWatch implements Disposable {
  readonly #idleMs: number | undefined;
  readonly #onIdle: () => void;
  #connected = 0;
  #timer: StopTimer | undefined;
  #watching = false;

  /** Without `idleMs` it only counts. */
  constructor(idleMs: number | undefined, onIdle: () => void) {
    this.#idleMs = idleMs;
    this.#onIdle = onIdle;
  }

  hold(): { release(): void } {
    this.#connected++;
    this.#arm();
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#connected--;
        this.#arm();
      },
    };
  }

  /** From now on, until it is told to stop. */
  start(): void {
    this.#watching = true;
    this.#arm();
  }

  stop(): void {
    this.#watching = false;
    this.#arm();
  }

  #arm(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (!this.#watching || this.#connected > 0 || this.#idleMs === undefined) return;
    this.#timer = new StopTimer(Date.now() + this.#idleMs, this.#onIdle);
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}

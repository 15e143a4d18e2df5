/** The longest single wait. A machine that slept meanwhile is noticed this late at most. */
const LONGEST_WAIT_MS = 20_000;

/**
 * Calls back once at a time of the wall clock, and not before: a timer of the runtime stands still
 * while the host sleeps, and overflows after 24 days.
 */
export class StopTimer implements Disposable {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at: number;
  readonly #callback: () => void;

  constructor(at: number, callback: () => void) {
    this.#at = at;
    this.#callback = callback;
    this.#arm();
  }

  set at(at: number) {
    this.#at = at;
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const left = this.#at - Date.now();
    this.#timer = setTimeout(() => {
      if (Date.now() >= this.#at) this.#callback();
      else this.#arm();
    }, Math.max(0, Math.min(left, LONGEST_WAIT_MS)));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

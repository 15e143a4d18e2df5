const QUIET_MS = 4_000;

/** Does something each time there was work and then has been none for a while. */
export class Quiet {
  readonly #act: () => void;
  readonly #quietMs: number;
  #worked = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(act: () => void, quietMs: number = QUIET_MS) {
    this.#act = act;
    this.#quietMs = quietMs;
  }

  /** Told at every piece of work, so it costs next to nothing. */
  worked(): void {
    this.#worked = true;
    this.#timer ??= setTimeout(this.#look, this.#quietMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look = (): void => {
    this.#timer = undefined;
    if (this.#worked) {
      this.#worked = false;
      this.#timer = setTimeout(this.#look, this.#quietMs);
    } else this.#act();
  };
}

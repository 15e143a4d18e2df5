/** Creations this close together are one burst. */
const BURST_MS = 2_000;
/** How long a burst is remembered. */
const MEMORY_MS = 120_000;

/** How many machines were asked for at once lately. */
export class Demand {
  #asked: number[] = [];

  note(now: number): void {
    this.#asked.push(now);
  }

  /** The largest burst that is remembered. */
  peak(now: number): number {
    this.#asked = this.#asked.filter((time) => now - time < MEMORY_MS);
    let most = 0;
    let from = 0;
    for (let to = 0; to < this.#asked.length; to++) {
      while (this.#asked[to] - this.#asked[from] > BURST_MS) from++;
      most = Math.max(most, to - from + 1);
    }
    return most;
  }
}

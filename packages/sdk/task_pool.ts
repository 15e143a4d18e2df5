/** Runs tasks, a bounded number at a time. The first failure aborts the rest. */
export class TaskPool {
  readonly #atOnce: number;
  readonly #controller = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** For the tasks to watch. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves when the task has started; rejects once any task has failed. */
  async run(task: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#atOnce) await Promise.race(this.#running);
    this.signal.throwIfAborted();
    const running: Promise<void> = task()
      .catch((error) => this.#controller.abort(error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Waits for every task that was started; throws what the first failed one threw. */
  async finish(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    this.signal.throwIfAborted();
  }

  /** Aborts what runs and waits for it. */
  async stop(error: unknown): Promise<void> {
    this.#controller.abort(error);
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}

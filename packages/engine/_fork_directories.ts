import type { Log } from "@paddock/driver";
import { removeTree } from "./_sandbox_resources.ts";

/** Where checkpoints of forks are, from the moment they are made until no copy needs them any more. */
export class ForkDirectories {
  readonly #directory: string;
  readonly #log: Log;
  readonly #removals = new Set<Promise<void>>();

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Removes what an earlier daemon left. Its machines must have been ended. */
  async open(): Promise<void> {
    await removeTree(this.#directory);
    await Deno.mkdir(this.#directory, { recursive: true, mode: 0o700 });
  }

  /** A path of its own. There is nothing at it yet. */
  next(): string {
    return `${this.#directory}/${crypto.randomUUID()}`;
  }

  /** Has it removed, which nobody has to wait for: what stays is removed at the next start. */
  remove(path: string): void {
    const removal = removeTree(path).catch((error) =>
      this.#log.error("the checkpoint of a fork was not removed", { error: String(error) })
    ).finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  async close(): Promise<void> {
    this.remove(this.#directory);
    await Promise.all(this.#removals);
  }
}

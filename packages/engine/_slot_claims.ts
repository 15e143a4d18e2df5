import { type Log, sleep } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";

/** Who holds a slot. Process ids come round again; the start time tells two of one id apart. */
interface Claim {
  pid: number;
  started: string;
  name: string;
}

const DIRECTORY = "/run/paddock/slots";
const LOCK = "/run/paddock/slots.lock";
/** Longer than another Paddock takes to sweep what a dead one left. */
const LOCK_DEADLINE_MS = 60_000;
const LOCK_POLL_MS = 5;

/**
 * Which slots of the host are taken, by every Paddock on it: slot numbers stand for addresses, and
 * those are the host's, whichever data directory a daemon has.
 */
export class SlotClaims {
  readonly #prefix: string;
  /**
   * Where the search for a free number begins. A number is its addresses, and the host remembers the
   * connections of those: one that was just freed is taken last, when nothing is on its way to it.
   */
  #next: number | undefined;

  /** `prefix` marks what belongs to this engine's data directory. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  name(index: number): string {
    return `${this.#prefix}_${index}`;
  }

  /** Takes up to `count` free numbers below `limit`; fewer when there are fewer. */
  async claim(count: number, limit: number): Promise<number[]> {
    using _lock = await lockHost();
    const taken = new Set(numbers());
    const indexes: number[] = [];
    const first = this.#next ?? Math.floor(Math.random() * limit);
    for (let step = 0; step < limit && indexes.length < count; step++) {
      const index = (first + step) % limit;
      if (!taken.has(index)) indexes.push(index);
      this.#next = index + 1;
    }
    const started = processStart(Deno.pid) ?? "";
    for (const index of indexes) {
      const claim: Claim = { pid: Deno.pid, started, name: this.name(index) };
      Deno.writeTextFileSync(`${DIRECTORY}/${index}`, JSON.stringify(claim), { createNew: true });
    }
    return indexes;
  }

  /** Frees a number, if it is ours. Idempotent. */
  async free(index: number): Promise<void> {
    using _lock = await lockHost();
    if (read(index)?.name === this.name(index)) removeClaim(index);
  }

  /**
   * Frees claims that nobody stands behind: those of this data directory (its engine is starting, so
   * an earlier one is gone), and those of processes that have ended. `clean` removes what such slots
   * left; what it cannot remove of another Paddock stays claimed, and is not this engine's trouble.
   */
  async sweep(clean: (names: string[]) => Promise<void>, log: Log): Promise<void> {
    using _lock = await lockHost();
    const dead = numbers().map((index) => ({ index, claim: read(index) })).filter(({ claim }) =>
      !claim || this.#isOurs(claim) || processStart(claim.pid) !== claim.started
    );
    for (const { index, claim } of dead) {
      try {
        if (claim) await clean([claim.name]);
        removeClaim(index);
      } catch (error) {
        if (claim && this.#isOurs(claim)) throw error;
        log.warn("a network of another Paddock that has ended could not be removed", {
          name: claim?.name,
          error: String(error),
        });
      }
    }
  }

  #isOurs(claim: Claim): boolean {
    return claim.name.startsWith(`${this.#prefix}_`);
  }
}

async function lockHost(): Promise<Disposable> {
  Deno.mkdirSync(DIRECTORY, { recursive: true, mode: 0o700 });
  const file = await Deno.open(LOCK, { create: true, write: true, mode: 0o600 });
  try {
    const end = performance.now() + LOCK_DEADLINE_MS;
    while (!await file.tryLock(true)) {
      if (performance.now() > end) {
        throw new PaddockError("CREATE_FAILED", {
          message: "Another Paddock on this host keeps the network slots to itself.",
          cause: new Error(`${LOCK} was not to be had within ${LOCK_DEADLINE_MS} ms`),
        });
      }
      await sleep(LOCK_POLL_MS);
    }
  } catch (error) {
    file.close();
    throw error;
  }
  return { [Symbol.dispose]: () => file.close() };
}

function numbers(): number[] {
  return [...Deno.readDirSync(DIRECTORY)].map(({ name }) => Number(name)).filter(Number.isInteger);
}

function read(index: number): Claim | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(`${DIRECTORY}/${index}`));
  } catch {
    return undefined;
  }
}

function removeClaim(index: number): void {
  try {
    Deno.removeSync(`${DIRECTORY}/${index}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Field 22 of /proc/PID/stat, counted behind the name, which may hold anything. */
function processStart(pid: number): string | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

import { Demand } from "./_demand.ts";
import { refuseWithoutRoom } from "./_host_room.ts";
import { type PooledMachine, type PoolRequest, restorePooled } from "./_pooled_machine.ts";
import { Restless } from "./_restless.ts";
import { restoreDeadlineMs } from "./_restore_deadline.ts";
import { type EngineParts, USUAL_WEIGHT } from "./_sandbox_resources.ts";
import type { RestoreSource } from "./restore_source.ts";
import type { Template } from "./_template.ts";
import type { TemplateStore } from "./_template_store.ts";

const MiB = 1024 * 1024;
/** What a machine that waits is taken to hold until one was measured. */
const ASSUMED_BYTES = 64 * MiB;
/** Restoring more at once makes each of them slower and the host no faster. */
const AT_ONCE = 2;
/** A machine that leaves the processors to others may take longer to be restored. */
const PATIENCE = 4;
const REVIEW_MS = 5_000;
const SOON_MS = 50;
const UNHURRIED_MS = 1_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

/** The machines of one template and size. */
interface Shelf extends PoolRequest {
  ready: PooledMachine[];
  demand: Demand;
  /** Restores under way: they count as if they were there. */
  underWay: number;
  /** Failures in a row, and when the next attempt may be made after them. */
  failures: number;
  retryAt: number;
}

/**
 * Machines restored ahead of demand, so that a creation finds one waiting. How many follows the bursts of
 * the last minutes: between `limits.poolMin` and `limits.poolMax` of the node's own template in its default
 * size, up to the latter in another size, and up to `limits.poolMaxPerTemplate` of a template that somebody
 * built, as far as `limits.poolMemoryMb` and the host's free memory allow. A pool that does not fit is
 * smaller, and an empty one means that a creation restores its machine itself. Until somebody has one, a
 * machine gets what others leave of the processors.
 */
export class MachinePool {
  readonly #parts: EngineParts;
  readonly #region: string | undefined;
  readonly #templates: TemplateStore;
  readonly #shelves = new Map<string, Shelf>();
  readonly #closing = new AbortController();
  readonly #review: ReturnType<typeof setInterval>;
  readonly #giveBack = new Set<Promise<void>>();
  readonly #restless = new Restless<PooledMachine>();
  /** Templates by their keys that were made anew because what was restored from them did not rest. */
  readonly #madeAnew = new Set<string>();
  #refill: ReturnType<typeof setTimeout> | undefined;
  #filling: Promise<void> | undefined;

  /** `region` is that of the sandboxes which its machines take themselves for. */
  constructor(parts: EngineParts, templates: TemplateStore, region?: string) {
    this.#region = region;
    this.#parts = parts;
    this.#templates = templates;
    this.#shelf({ memoryBytes: parts.limits.memoryDefaultMb * MiB });
    this.#review = setInterval(() => {
      this.#lookAround().catch((error) =>
        parts.log.error("machines that wait were not looked at", { error: String(error) })
      );
    }, REVIEW_MS);
    Deno.unrefTimer(this.#review as unknown as number);
    templates.settled().then(() => this.#balance());
  }

  get waiting(): number {
    return this.#waiting().length;
  }

  /** Such a machine if one waits. Either way the demand is noted. */
  take(wanted: PoolRequest): PooledMachine | undefined {
    const shelf = this.#shelf(wanted);
    shelf.demand.note(Date.now());
    const machine = shelf.ready.shift();
    machine?.place.cgroup.setWeight(USUAL_WEIGHT);
    this.#parts.meters.pool(this.#parts.driver.name, machine !== undefined);
    // After whoever takes it is served: making the next one takes processors. While many wait there is
    // time until nobody asks for a moment.
    const many = shelf.ready.length > this.#target(shelf) / 2 && shelf.ready.length > 1;
    clearTimeout(this.#refill);
    this.#refill = setTimeout(() => this.#balance(), many ? UNHURRIED_MS : SOON_MS);
    return machine;
  }

  /** Settles when as many wait as should. */
  async settled(): Promise<void> {
    await this.#templates.settled();
    this.#balance();
    await this.#filling;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the engine closes"));
    clearInterval(this.#review);
    clearTimeout(this.#refill);
    await this.#filling;
    for (const shelf of this.#shelves.values()) this.#discard(shelf, shelf.ready.length);
    await Promise.all(this.#giveBack);
  }

  /** There will be no more of them: what waits of a template is given back. */
  forget(stockId: string): void {
    for (const [key, shelf] of this.#shelves) {
      if (shelf.stock?.id !== stockId) continue;
      this.#shelves.delete(key);
      this.#discard(shelf, shelf.ready.length);
    }
  }

  #shelf({ memoryBytes, stock }: PoolRequest): Shelf {
    const key = keyOf({ memoryBytes, stock });
    let shelf = this.#shelves.get(key);
    if (!shelf) {
      const none = { underWay: 0, failures: 0, retryAt: 0 };
      shelf = { memoryBytes, stock, ready: [], demand: new Demand(), ...none };
      this.#shelves.set(key, shelf);
    }
    return shelf;
  }

  #waiting(): PooledMachine[] {
    return [...this.#shelves.values()].flatMap(({ ready }) => ready);
  }

  #target(shelf: Shelf): number {
    const { poolMin, poolMax, poolMaxPerTemplate } = this.#parts.limits;
    const asked = shelf.demand.peak(Date.now());
    if (shelf.stock) return Math.min(poolMaxPerTemplate, asked);
    return Math.min(poolMax, Math.max(this.#isDefault(shelf) ? poolMin : 0, asked));
  }

  #isDefault({ memoryBytes, stock }: PoolRequest): boolean {
    return stock === undefined && memoryBytes === this.#parts.limits.memoryDefaultMb * MiB;
  }

  async #lookAround(): Promise<void> {
    // A user's template may have a program in it that computes: that is theirs to know. And where the next
    // one is no better, it is not the checkpoint.
    const own = this.#waiting().filter(({ template }) =>
      template !== undefined && !this.#madeAnew.has(template.key)
    );
    for (const machine of await this.#restless.among(own)) await this.#refuse(machine);
    this.#balance();
  }

  /** What was restored from the same template is no better, and neither would be what follows. */
  async #refuse({ template, place }: PooledMachine): Promise<void> {
    const same = this.#waiting().filter((other) => other.template === template);
    if (same.length === 0) return;
    this.#madeAnew.add(template!.key);
    const { log, driver } = this.#parts;
    log.warn("machines that wait compute all the time: their template is made anew", {
      ...{ driver: driver.name, template: template!.key, machine: place.machine.id },
      machines: same.length,
    });
    for (const { ready } of this.#shelves.values()) {
      const stay = ready.filter((machine) => !same.includes(machine));
      ready.splice(0, ready.length, ...stay);
    }
    for (const machine of same) void this.#drop(machine);
    await this.#templates.discard(template!);
  }

  #balance(): void {
    if (this.#closing.signal.aborted) return;
    for (const [key, shelf] of this.#shelves) {
      const target = this.#target(shelf);
      if (shelf.ready.length > target) this.#discard(shelf, shelf.ready.length - target);
      const isEmpty = target === 0 && shelf.ready.length === 0 && shelf.underWay === 0;
      if (isEmpty && !this.#isDefault(shelf)) this.#shelves.delete(key);
    }
    if (this.#filling) return;
    this.#filling = this.#fill().finally(() => this.#filling = undefined);
  }

  async #fill(): Promise<void> {
    const restorers = Array.from({ length: AT_ONCE }, async () => {
      for (;;) {
        const shelf = this.#next();
        if (!shelf) return;
        // Counted from here on: the other restorer looks as well.
        shelf.underWay++;
        try {
          if (!await this.#hasRoom()) return;
          const restored = await this.#restore(shelf);
          if (restored && !this.#put(shelf, restored)) void this.#drop(restored);
        } finally {
          shelf.underWay--;
        }
      }
    });
    await Promise.all(restorers);
  }

  /** The shelf that lacks one. */
  #next(): Shelf | undefined {
    if (this.#closing.signal.aborted) return undefined;
    return [...this.#shelves.values()].find((shelf) =>
      Date.now() >= shelf.retryAt && shelf.ready.length + shelf.underWay < this.#target(shelf)
    );
  }

  /** For those that wait and those under way. */
  async #hasRoom(): Promise<boolean> {
    const { limits, directory } = this.#parts;
    const waiting = this.#waiting();
    const usages = await Promise.all(waiting.slice(0, 4).map(({ place }) => place.machine.usage()));
    const measured = usages.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) / usages.length;
    const each = usages.length === 0 ? ASSUMED_BYTES : measured;
    const underWay = [...this.#shelves.values()].reduce((sum, shelf) => sum + shelf.underWay, 0);
    if ((waiting.length + underWay) * each > limits.poolMemoryMb * MiB) return false;
    // What waits must never be what keeps somebody else out.
    const { hostFreeMemoryMb, hostFreeThreads } = limits;
    const floor = {
      ...limits,
      hostFreeMemoryMb: 2 * hostFreeMemoryMb,
      hostFreeThreads: 2 * hostFreeThreads,
    };
    return await refuseWithoutRoom(directory, floor).then(() => true, () => false);
  }

  /** Undefined when that failed: the shelf is left alone for a while. */
  async #restore(shelf: Shelf): Promise<PooledMachine | undefined> {
    const { log } = this.#parts;
    const within = PATIENCE * restoreDeadlineMs(this.#parts);
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(within)]);
    try {
      await using used = await this.#use(shelf, signal);
      if (!used) {
        // Why there is no template is in the log already.
        shelf.retryAt = Date.now() + FIRST_RETRY_MS;
        return undefined;
      }
      const { memoryBytes, stock } = shelf;
      const { source, template } = used;
      const origin = { memoryBytes, stock, source, template, region: this.#region };
      const machine = await restorePooled(this.#parts, origin, signal)
        .catch(async (error) => {
          // A host that had no time for it says nothing about what it was restored from.
          if (!signal.aborted) await used.failed();
          throw error;
        });
      shelf.failures = 0;
      return machine;
    } catch (error) {
      if (this.#closing.signal.aborted) return undefined;
      const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** shelf.failures++);
      shelf.retryAt = Date.now() + wait;
      log.warn("no machine could be restored ahead of demand", {
        error: String(error),
        retryInMs: wait,
        ...(shelf.stock && { template: shelf.stock.id }),
      });
    }
  }

  async #use({ stock, memoryBytes }: Shelf, signal: AbortSignal): Promise<UsedSource | undefined> {
    if (stock) {
      const { source, release } = await stock.use(signal);
      // What somebody built is theirs: they hear of it when they ask for a sandbox.
      return { source, failed: async () => {}, [Symbol.asyncDispose]: release };
    }
    const template = await this.#templates.find(memoryBytes);
    if (!template) return undefined;
    return {
      ...{ source: template, template },
      failed: () => this.#templates.discard(template),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  /** False when there is no place for it any more. */
  #put(shelf: Shelf, machine: PooledMachine): boolean {
    if (this.#closing.signal.aborted || this.#shelves.get(keyOf(shelf)) !== shelf) return false;
    shelf.ready.push(machine);
    machine.died.addEventListener("abort", () => {
      const at = shelf.ready.indexOf(machine);
      if (at === -1) return;
      shelf.ready.splice(at, 1);
      void this.#drop(machine);
    });
    return true;
  }

  #discard(shelf: Shelf, count: number): void {
    for (const machine of shelf.ready.splice(0, count)) void this.#drop(machine);
  }

  #drop(machine: PooledMachine): Promise<void> {
    const done = machine.stack.disposeAsync().catch((error) =>
      this.#parts.log.error("a pooled machine could not be taken away", { error: String(error) })
    ).finally(() => this.#giveBack.delete(done));
    this.#giveBack.add(done);
    return done;
  }
}

interface UsedSource extends AsyncDisposable {
  source: RestoreSource;
  /** It is one of the node's own. */
  template?: Template;
  /** No machine came of it. */
  failed(): Promise<void>;
}

function keyOf({ memoryBytes, stock }: PoolRequest): string {
  return `${stock?.id ?? ""} ${memoryBytes}`;
}

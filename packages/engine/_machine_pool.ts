import { newSandboxId } from "@paddock/protocol";
import { waitForAgent } from "./_agent_ready.ts";
import { Demand } from "./_demand.ts";
import { AGENT_PORT, guestInit } from "./_guest_init.ts";
import { refuseWithoutRoom } from "./_host_room.ts";
import { restoreDeadlineMs } from "./_restore_deadline.ts";
import { type EngineParts, type MachineInPlace, startMachine } from "./_sandbox_resources.ts";
import type { TemplateStore } from "./_template_store.ts";

/** The region in the ids of machines that wait in a pool. */
const REGION = "pol";
const MiB = 1024 * 1024;
/** What a machine that waits is taken to hold until one was measured. */
const ASSUMED_BYTES = 64 * MiB;
/** Restoring more at once makes each of them slower and the host no faster. */
const AT_ONCE = 2;
const REVIEW_MS = 5_000;
const SOON_MS = 50;
const UNHURRIED_MS = 1_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

/** A restored machine that nobody has been told about. Whoever takes it owns its stack. */
export interface PooledMachine {
  memoryBytes: number;
  place: MachineInPlace;
  /** What its agent demands until it is given an identity. */
  token: string;
  stack: AsyncDisposableStack;
  /** Aborted when the machine ends. */
  died: AbortSignal;
}

/** The machines of one size. */
interface Shelf {
  memoryBytes: number;
  ready: PooledMachine[];
  demand: Demand;
}

/**
 * Machines restored ahead of demand, so that a creation finds one waiting. How many follows the
 * bursts of the last minutes between `limits.poolMin` (of the default size) and `limits.poolMax`, as
 * far as `limits.poolMemoryMb` and the host's free memory allow: a pool that does not fit is smaller,
 * and an empty one means that a creation restores its machine itself.
 */
export class MachinePool {
  readonly #parts: EngineParts;
  readonly #templates: TemplateStore;
  readonly #shelves = new Map<number, Shelf>();
  /** Restores under way, by size: they count as if they were there. */
  readonly #underWay = new Map<number, number>();
  readonly #closing = new AbortController();
  readonly #review: ReturnType<typeof setInterval>;
  readonly #giveBack = new Set<Promise<void>>();
  #refill: ReturnType<typeof setTimeout> | undefined;
  #filling: Promise<void> | undefined;
  #retryAt = 0;
  #failures = 0;

  constructor(parts: EngineParts, templates: TemplateStore) {
    this.#parts = parts;
    this.#templates = templates;
    this.#shelf(parts.limits.memoryDefaultMb * MiB);
    this.#review = setInterval(() => this.#balance(), REVIEW_MS);
    Deno.unrefTimer(this.#review as unknown as number);
    templates.settled().then(() => this.#balance());
  }

  get waiting(): number {
    return this.#waiting().length;
  }

  /** A machine of this size if one waits. Either way the demand is noted. */
  take(memoryBytes: number): PooledMachine | undefined {
    const shelf = this.#shelf(memoryBytes);
    shelf.demand.note(Date.now());
    const machine = shelf.ready.shift();
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

  #shelf(memoryBytes: number): Shelf {
    let shelf = this.#shelves.get(memoryBytes);
    if (!shelf) {
      shelf = { memoryBytes, ready: [], demand: new Demand() };
      this.#shelves.set(memoryBytes, shelf);
    }
    return shelf;
  }

  #waiting(): PooledMachine[] {
    return [...this.#shelves.values()].flatMap(({ ready }) => ready);
  }

  #target(shelf: Shelf): number {
    const { poolMin, poolMax, memoryDefaultMb } = this.#parts.limits;
    const least = shelf.memoryBytes === memoryDefaultMb * MiB ? poolMin : 0;
    return Math.min(poolMax, Math.max(least, shelf.demand.peak(Date.now())));
  }

  #balance(): void {
    if (this.#closing.signal.aborted) return;
    for (const [memoryBytes, shelf] of this.#shelves) {
      const target = this.#target(shelf);
      if (shelf.ready.length > target) this.#discard(shelf, shelf.ready.length - target);
      const isDefault = memoryBytes === this.#parts.limits.memoryDefaultMb * MiB;
      if (target === 0 && !isDefault && shelf.ready.length === 0) this.#shelves.delete(memoryBytes);
    }
    if (this.#filling || Date.now() < this.#retryAt) return;
    this.#filling = this.#fill().finally(() => this.#filling = undefined);
  }

  async #fill(): Promise<void> {
    const restorers = Array.from({ length: AT_ONCE }, async () => {
      for (;;) {
        const shelf = await this.#next();
        if (!shelf) return;
        const restored = await this.#restore(shelf.memoryBytes);
        if (!restored) return;
        if (this.#closing.signal.aborted) return this.#drop(restored);
        this.#put(shelf, restored);
      }
    });
    await Promise.all(restorers);
  }

  /** The shelf that lacks one, if there is room for it. */
  async #next(): Promise<Shelf | undefined> {
    if (this.#closing.signal.aborted || Date.now() < this.#retryAt) return undefined;
    const lacking = [...this.#shelves.values()].find((shelf) =>
      shelf.ready.length + (this.#underWay.get(shelf.memoryBytes) ?? 0) < this.#target(shelf)
    );
    if (!lacking || !await this.#hasRoom()) return undefined;
    return lacking;
  }

  async #hasRoom(): Promise<boolean> {
    const { limits, directory } = this.#parts;
    const waiting = this.#waiting();
    const usages = await Promise.all(waiting.slice(0, 4).map(({ place }) => place.machine.usage()));
    const measured = usages.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) / usages.length;
    const each = usages.length === 0 ? ASSUMED_BYTES : measured;
    const underWay = [...this.#underWay.values()].reduce((sum, count) => sum + count, 0);
    if ((waiting.length + underWay + 1) * each > limits.poolMemoryMb * MiB) return false;
    // What waits must never be what keeps somebody else out.
    const floor = { ...limits, hostFreeMemoryMb: 2 * limits.hostFreeMemoryMb };
    return await refuseWithoutRoom(directory, floor).then(() => true, () => false);
  }

  async #restore(memoryBytes: number): Promise<PooledMachine | undefined> {
    const template = await this.#templates.find(memoryBytes);
    if (!template) return undefined;
    const { limits, log } = this.#parts;
    const within = restoreDeadlineMs(this.#parts);
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(within)]);
    const began = performance.now();
    const stack = new AsyncDisposableStack();
    const died = new AbortController();
    this.#underWay.set(memoryBytes, (this.#underWay.get(memoryBytes) ?? 0) + 1);
    try {
      const { token } = template;
      const id = newSandboxId(REGION);
      const guest = { id, region: REGION, memoryBytes, env: {} };
      const init = () => guestInit(guest, this.#parts.image, { port: AGENT_PORT, token }, limits);
      const place = await startMachine(
        this.#parts,
        { id, memoryBytes, source: template, init },
        stack,
        signal,
      );
      place.machine.exited.then(({ reason, detail }) =>
        died.abort(new Error(`the machine ended (${reason}): ${detail ?? ""}`))
      );
      const agent = { host: place.slot.guestAddress, port: AGENT_PORT, token };
      await waitForAgent(agent, AbortSignal.any([signal, died.signal]));
      place.cgroup.limitCpus(limits.cpus);
      this.#failures = 0;
      const { meters, driver } = this.#parts;
      meters.restored(driver.name, "ahead", performance.now() - began);
      return { memoryBytes, place, token, stack, died: died.signal };
    } catch (error) {
      await stack.disposeAsync();
      if (this.#closing.signal.aborted) return undefined;
      this.#retryAt = Date.now() +
        Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
      log.warn("no machine could be restored ahead of demand", {
        error: String(error),
        retryInMs: this.#retryAt - Date.now(),
      });
      await this.#templates.discard(template);
    } finally {
      this.#underWay.set(memoryBytes, this.#underWay.get(memoryBytes)! - 1);
    }
  }

  #put(shelf: Shelf, machine: PooledMachine): void {
    shelf.ready.push(machine);
    machine.died.addEventListener("abort", () => {
      const at = shelf.ready.indexOf(machine);
      if (at === -1) return;
      shelf.ready.splice(at, 1);
      void this.#drop(machine);
    });
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

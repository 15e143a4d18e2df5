import type { Log, NetworkSlot } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import { createLinks, leftoverLinks, linkPrefix, removeLinks } from "./_network_links.ts";
import { formatIpv4Range } from "./_ipv4.ts";
import { type NetworkPlan, slotCount } from "./_network_plan.ts";
import { PacketFilter } from "./_packet_filter.ts";
import { SlotClaims } from "./_slot_claims.ts";

interface Waiter {
  resolve(slot: NetworkSlot): void;
  reject(error: unknown): void;
}

/** Many at once share the cost of starting `ip`; more would keep the first one waiting. */
const BATCH = 8;

/**
 * Network slots: a namespace with one link to the host each. Some are kept ready, those asked for at
 * the same time are made together, and none is used twice: what a guest left in one dies with it.
 */
export class NetworkSlots {
  readonly #plan: NetworkPlan;
  readonly #claims: SlotClaims;
  readonly #filter: PacketFilter;
  readonly #prefix: string;
  readonly #prewarm: number;
  readonly #log: Log;
  #ready: NetworkSlot[] = [];
  #waiting: Waiter[] = [];
  #making: Promise<void> | undefined;
  #closed = false;

  constructor(plan: NetworkPlan, dataDirHash: string, prewarm: number, log: Log) {
    this.#plan = plan;
    this.#prefix = linkPrefix(dataDirHash);
    this.#claims = new SlotClaims(this.#prefix);
    this.#filter = new PacketFilter(this.#prefix, plan);
    this.#prewarm = prewarm;
    this.#log = log;
  }

  get resolvers(): string[] {
    return this.#plan.resolvers;
  }

  /** Removes what an earlier engine of this data directory left, and puts the filter in place. */
  async open(signal?: AbortSignal): Promise<void> {
    await removeLinks(leftoverLinks(this.#prefix));
    await this.#claims.sweep(removeLinks, this.#log);
    await this.#filter.install(this.#log, signal);
    this.#refill();
  }

  /** Never throws before there is a promise: whoever asks for more beside it would wait for none of it. */
  acquire(signal: AbortSignal): Promise<NetworkSlot> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#closed) return Promise.reject(new PaddockError("SHUTTING_DOWN"));
    const slot = this.#ready.shift();
    if (slot) {
      this.#refill();
      return Promise.resolve(slot);
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: (slot) => {
          signal.removeEventListener("abort", onAbort);
          resolve(slot);
        },
        reject: (error) => {
          signal.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      const onAbort = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(waiter);
      this.#refill();
    });
  }

  async release(slot: NetworkSlot): Promise<void> {
    await removeLinks([slot.namespace]);
    await this.#claims.free(slot.index);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#waiting.splice(0)) {
      waiter.reject(new PaddockError("SHUTTING_DOWN"));
    }
    await this.#making;
    const slots = this.#ready.splice(0);
    await removeLinks(slots.map((slot) => slot.namespace));
    for (const slot of slots) await this.#claims.free(slot.index);
    await this.#filter.remove();
  }

  #refill(): void {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
      if (this.#waiting.length > 0 && !this.#closed) this.#refill();
    });
  }

  async #make(): Promise<void> {
    // Whoever asks in this turn of the event loop is served by one batch.
    await Promise.resolve();
    while (!this.#closed) {
      const wanted = this.#waiting.length + this.#prewarm - this.#ready.length;
      if (wanted <= 0) return;
      try {
        const slots = await this.#makeBatch(Math.min(wanted, BATCH));
        for (const slot of slots) this.#hand(slot);
      } catch (error) {
        this.#log.error("network slots could not be made", { error: String(error) });
        for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
        return;
      }
    }
  }

  #hand(slot: NetworkSlot): void {
    const waiter = this.#waiting.shift();
    if (waiter) waiter.resolve(slot);
    else this.#ready.push(slot);
  }

  async #makeBatch(count: number): Promise<NetworkSlot[]> {
    const indexes = await this.#claims.claim(count, slotCount(this.#plan));
    if (indexes.length === 0) {
      throw new PaddockError("CAPACITY_EXHAUSTED", {
        message: `All ${slotCount(this.#plan)} network slots of ` +
          `${formatIpv4Range(this.#plan.range)} (network.range) are taken on this host.`,
      });
    }
    const slots = indexes.map((index) => ({ index, name: this.#claims.name(index) }));
    try {
      return await createLinks(this.#plan, slots);
    } catch (error) {
      try {
        await removeLinks(slots.map(({ name }) => name));
        for (const { index } of slots) await this.#claims.free(index);
      } catch (failure) {
        // Its numbers stay claimed: whoever took one next would find the name in use.
        this.#log.error("a half-made network is left behind", { error: String(failure) });
      }
      throw new PaddockError("CREATE_FAILED", {
        message: "The sandbox's network could not be made.",
        cause: error,
      });
    }
  }
}

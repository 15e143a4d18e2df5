import type { Driver, DriverName, ProbeResult } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import type { EngineParts } from "./_sandbox_resources.ts";
import type { MachinePool } from "./_machine_pool.ts";
import type { TemplateStore } from "./_template_store.ts";

/** A driver that was seen to work here, and what sandboxes on it are made from. */
export interface DriverRoom {
  probe: ProbeResult;
  parts: EngineParts;
  templates: TemplateStore | undefined;
  pool: MachinePool | undefined;
}

export interface DriverRoomsOptions {
  /** In the order of preference: the first that works is the default. */
  drivers: Driver[];
  /** Those a creation may ask for beside the default. */
  allowed: DriverName[];
  /** Makes room for a driver that works. */
  furnish(driver: Driver, probe: ProbeResult): Promise<DriverRoom>;
}

/** The drivers of a node: one for everybody, others for those who ask, looked at when they do. */
export class DriverRooms {
  readonly #options: DriverRoomsOptions;
  readonly #rooms = new Map<DriverName, Promise<DriverRoom>>();
  readonly #furnished: DriverRoom[];
  readonly default: DriverRoom;

  private constructor(options: DriverRoomsOptions, first: DriverRoom) {
    this.#options = options;
    this.default = first;
    this.#furnished = [first];
    this.#rooms.set(first.probe.driver, Promise.resolve(first));
  }

  static async open(options: DriverRoomsOptions, signal: AbortSignal): Promise<DriverRooms> {
    const problems: string[] = [];
    for (const driver of options.drivers) {
      const probe = await driver.probe(signal);
      signal.throwIfAborted();
      if (probe.works) return new DriverRooms(options, await options.furnish(driver, probe));
      problems.push(whyNot(probe));
    }
    throw new PaddockError("HOST_CANNOT_RUN_SANDBOXES", { message: problems.join(" ") });
  }

  /** The room of a driver that somebody asked for by name. */
  choose(name: DriverName | undefined, signal: AbortSignal): Promise<DriverRoom> {
    if (name === undefined || name === this.default.probe.driver) {
      return Promise.resolve(this.default);
    }
    const driver = this.#options.drivers.find((driver) => driver.name === name);
    if (!driver || !this.#options.allowed.includes(name)) {
      const names = [...new Set([this.default.probe.driver, ...this.#options.allowed])];
      return Promise.reject(
        new PaddockError("INVALID_CONFIG", {
          message: `driver: this server has ${names.join(", ")}, not ${name} (allowDrivers)`,
          field: "driver",
        }),
      );
    }
    let room = this.#rooms.get(name);
    if (!room) {
      room = this.#look(driver, signal);
      this.#rooms.set(name, room);
      room.catch(() => this.#rooms.delete(name));
    }
    return room;
  }

  /** Of rooms that are furnished. */
  pools(): { driver: DriverName; waiting: number }[] {
    const waiting = (room: DriverRoom) =>
      room.pool ? [{ driver: room.probe.driver, waiting: room.pool.waiting }] : [];
    return this.#furnished.flatMap(waiting);
  }

  /** No machine waits any more that was restored from this. */
  forget(checkpointId: string): void {
    for (const { pool } of this.#furnished) pool?.forget(checkpointId);
  }

  async settled(): Promise<void> {
    for (const room of this.#rooms.values()) {
      const { templates, pool } = await room;
      await templates?.settled();
      await pool?.settled();
    }
  }

  async close(): Promise<void> {
    for (const room of await Promise.allSettled(this.#rooms.values())) {
      if (room.status !== "fulfilled") continue;
      await room.value.pool?.close();
      await room.value.templates?.close();
    }
  }

  async #look(driver: Driver, signal: AbortSignal): Promise<DriverRoom> {
    const probe = await driver.probe(signal);
    if (probe.works) {
      const room = await this.#options.furnish(driver, probe);
      this.#furnished.push(room);
      return room;
    }
    throw new PaddockError("HOST_CANNOT_RUN_SANDBOXES", { message: whyNot(probe) });
  }
}

function whyNot(probe: ProbeResult): string {
  return `This host cannot run sandboxes with ${probe.driver}: ${probe.problems.join(" ")}`;
}

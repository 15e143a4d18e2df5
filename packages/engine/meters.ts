import type { DriverName } from "@paddock/driver";
import type { Origin } from "./engine.ts";

/** What an engine reports as it happens, for whoever counts it. Times are in milliseconds. */
export interface Meters {
  /** A sandbox runs, this long after it was asked for. */
  created(driver: DriverName, origin: Origin, ms: number): void;
  createFailed(driver: DriverName): void;
  /** Whether a machine waited for a creation; without one the creation waits for its machine. */
  pool(driver: DriverName, found: boolean): void;
  /** A machine was restored, until its agent answered. */
  restored(driver: DriverName, what: "ahead" | "resumed", ms: number): void;
  paused(driver: DriverName, ms: number): void;
}

export const noMeters: Meters = {
  created() {},
  createFailed() {},
  pool() {},
  restored() {},
  paused() {},
};

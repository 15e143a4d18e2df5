import type { Engine, Meters, SandboxState } from "@paddock/engine";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** From a machine that waited to one that is emulated. */
const SECONDS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];
const STATES: readonly SandboxState[] = ["creating", "running", "paused", "stopping"];

export interface Metrics {
  meters: Meters;
  /** The engine whose sandboxes and waiting machines are counted when somebody asks. */
  watch(engine: Pick<Engine, "list" | "pools">): void;
  /** In Prometheus' text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  let engine: Pick<Engine, "list" | "pools"> | undefined;
  const seconds = (name: string, help: string, labelNames: string[]) =>
    new Histogram({ name, help, labelNames, buckets: SECONDS, registers });
  const created = seconds(
    "paddock_create_seconds",
    "From a creation's beginning in the engine until the sandbox runs",
    ["driver", "origin"],
  );
  const failed = new Counter({
    ...{ name: "paddock_create_failures_total", help: "Creations that failed" },
    ...{ labelNames: ["driver"], registers },
  });
  const takes = new Counter({
    name: "paddock_pool_takes_total",
    help:
      "Creations that could have had a waiting machine: those that did (hit), and others (wait)",
    ...{ labelNames: ["driver", "outcome"], registers },
  });
  const restored = seconds(
    "paddock_restore_seconds",
    "Restoring a machine until its agent answers: ahead of demand, or of a paused sandbox",
    ["driver", "what"],
  );
  const paused = seconds("paddock_pause_seconds", "Pausing a sandbox", ["driver"]);
  new Gauge({
    ...{ name: "paddock_sandboxes", help: "Sandboxes by state", labelNames: ["state"], registers },
    collect() {
      for (const state of STATES) {
        const count = engine?.list().filter((sandbox) => sandbox.state === state).length ?? 0;
        this.set({ state }, count);
      }
    },
  });
  new Gauge({
    ...{ name: "paddock_pool_waiting", help: "Machines that wait for a creation" },
    ...{ labelNames: ["driver"], registers },
    collect() {
      for (const { driver, waiting } of engine?.pools() ?? []) this.set({ driver }, waiting);
    },
  });
  return {
    meters: {
      created: (driver, origin, ms) => created.observe({ driver, origin }, ms / 1000),
      createFailed: (driver) => failed.inc({ driver }),
      pool: (driver, found) => takes.inc({ driver, outcome: found ? "hit" : "wait" }),
      restored: (driver, what, ms) => restored.observe({ driver, what }, ms / 1000),
      paused: (driver, ms) => paused.observe({ driver }, ms / 1000),
    },
    watch: (watched) => void (engine = watched),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

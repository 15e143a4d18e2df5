import { createGvisorDriver } from "@paddock/driver-gvisor";
import type { Log } from "@paddock/driver";
import { newSandboxId } from "@paddock/protocol";
import { createEngine, type EngineOptions } from "../create_engine.ts";
import type { Engine, SandboxSpec } from "../engine.ts";
import { createMemoryRecordStore } from "../memory_record_store.ts";

const MiB = 1024 * 1024;

export interface EngineBench extends AsyncDisposable {
  engine: Engine;
  records: ReturnType<typeof createMemoryRecordStore>;
  dataDir: string;
  /** What the engine logged at `warn` and `error`. */
  logged: string[];
}

export type BenchOptions = Partial<Omit<EngineOptions, "log">> & Pick<EngineOptions, "image">;

/** A real engine in a data directory of its own. */
export async function startBench(options: BenchOptions): Promise<EngineBench> {
  const dataDir = options.dataDir ?? await Deno.makeTempDir({ prefix: "paddock-engine-test-" });
  const records = createMemoryRecordStore();
  const logged: string[] = [];
  const note = (message: string, fields?: object) =>
    void logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const log: Log = { debug() {}, info() {}, warn: note, error: note };
  const engine = await createEngine({
    dataDir,
    drivers: [createGvisorDriver({ stateDir: `${dataDir}/gvisor`, log })],
    records,
    log,
    templates: false,
    pool: false,
    ...options,
  });
  return {
    ...{ engine, records, dataDir, logged },
    async [Symbol.asyncDispose]() {
      await engine.close();
      if (!options.dataDir) await Deno.remove(dataDir, { recursive: true });
    },
  };
}

export function sandboxSpec(more: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    id: newSandboxId("ord"),
    organizationId: "test",
    region: "ord",
    stopAt: Date.now() + 120_000,
    memoryBytes: 256 * MiB,
    labels: {},
    ...more,
  };
}

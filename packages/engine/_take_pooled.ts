import type { MachinePool } from "./_machine_pool.ts";
import type { PooledMachine } from "./_pooled_machine.ts";
import type { NewSandbox } from "./engine.ts";
import type { RestoreSource } from "./restore_source.ts";
import { needsColdLaunch } from "./volumes/cold_launch.ts";

/** A machine that waits for a sandbox like this one, if there is such a thing. It is the caller's then. */
export function takePooled(
  pool: MachinePool | undefined,
  spec: NewSandbox,
  source: RestoreSource | undefined,
): PooledMachine | undefined {
  const stock = source?.stock;
  if (needsColdLaunch(spec) || (source && !stock)) return undefined;
  return pool?.take({ memoryBytes: spec.memoryBytes, stock });
}

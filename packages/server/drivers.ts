import { join } from "node:path";
import type { Driver, DriverName, Log, ProbeResult } from "@paddock/driver";
import type { VmBoot } from "@paddock/driver/vm";
import { createFirecrackerDriver, installedPrograms } from "@paddock/driver-firecracker";
import { createGvisorDriver } from "@paddock/driver-gvisor";
import { createQemuDriver } from "@paddock/driver-qemu";
import type { Config } from "./config.ts";

/** Where `auto` begins. */
const PREFERENCE: readonly DriverName[] = ["firecracker", "gvisor", "qemu"];

/** Those whose machines boot a kernel, and so need one. */
export const VM_DRIVERS: readonly DriverName[] = ["firecracker", "qemu"];

/**
 * The drivers that this configuration may use, the preferred one first. What they note about their
 * machines goes to the data directory, or to another one.
 */
export function createDrivers(
  config: Pick<Config, "driver" | "allowDrivers" | "dataDir">,
  boot: VmBoot | undefined,
  log: Log,
  stateDir = config.dataDir,
): Driver[] {
  const { driver: wanted, allowDrivers, dataDir } = config;
  // Of its own: what is in there and was not asked for lately is removed.
  const cacheDir = join(dataDir, "vm-layers");
  const make: Record<DriverName, () => Driver> = {
    gvisor: () => createGvisorDriver({ stateDir: join(stateDir, "runsc"), log }),
    qemu: () =>
      boot === undefined ? withoutGuest("qemu") : createQemuDriver({
        stateDir: join(stateDir, "qemu"),
        cacheDir,
        boot,
        log,
      }),
    firecracker: () =>
      boot === undefined ? withoutGuest("firecracker") : createFirecrackerDriver({
        ...installedPrograms(dataDir),
        stateDir: join(stateDir, "firecracker-machines"),
        cacheDir,
        boot,
        log,
      }),
  };
  const named = (name: DriverName) => name === wanted || allowDrivers.includes(name);
  return PREFERENCE.filter((name) => wanted === "auto" || named(name))
    .toSorted((a, b) => Number(b === wanted) - Number(a === wanted))
    .map((name) => make[name]());
}

/** Says of a kind of machine that it has nothing to boot, when somebody wants it. */
function withoutGuest(name: DriverName): Driver {
  const problem = "What virtual machines boot is not built: `npm run setup -- --tests` does, or " +
    `serve with driver ${name}.`;
  const refuse = () => Promise.reject(new Error(problem));
  return {
    name,
    traits: {
      ...{ memoryFixed: true, diskInCheckpoint: true, layersFixed: true },
      volumeFormat: "guest_block",
    },
    probe: (): Promise<ProbeResult> =>
      Promise.resolve({ driver: name, works: false, problems: [problem], capabilities: [] }),
    prepare: refuse,
    launch: refuse,
    restore: refuse,
    reap: () => Promise.resolve({ machines: [] }),
  };
}

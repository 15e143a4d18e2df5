import type { DriverName, ProbeResult } from "@paddock/driver";
import { createGvisorDriver } from "@paddock/driver-gvisor";

export interface DriverReport {
  name: DriverName;
  works: boolean;
  version: string | null;
  capabilities: string[];
  problems: string[];
  /** The command that mends it, or null when there is none. */
  fix: string | null;
}

/** How long one driver may take to boot something before that counts as a failure. */
const probeDeadlineMs = 30_000;

/** Probes every driver for real; one of this list that works is enough to run sandboxes. */
export async function driverChecks(signal: AbortSignal): Promise<DriverReport[]> {
  return [await gvisor(signal), notBuilt("firecracker"), notBuilt("qemu")];
}

async function gvisor(signal: AbortSignal): Promise<DriverReport> {
  const stateDir = await Deno.makeTempDir({ prefix: "paddock-doctor-" });
  try {
    const driver = createGvisorDriver({ stateDir });
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(probeDeadlineMs)]);
    return report(await driver.probe(deadline));
  } catch (error) {
    return {
      ...{ name: "gvisor", works: false, version: null, capabilities: [], fix: null },
      problems: [(error as Error).message],
    };
  } finally {
    await Deno.remove(stateDir, { recursive: true }).catch(() => {});
  }
}

function report(result: ProbeResult): DriverReport {
  return {
    name: result.driver,
    works: result.works,
    version: result.version ?? null,
    capabilities: result.capabilities,
    problems: result.problems,
    fix: result.works ? null : gvisorFix(result),
  };
}

function gvisorFix(result: ProbeResult): string | null {
  if (Deno.uid() !== 0) return "sudo npx paddock doctor";
  if (result.version === undefined) return "npm run setup";
  return null;
}

function notBuilt(name: DriverName): DriverReport {
  const device = kvmState();
  return {
    name,
    works: false,
    version: null,
    capabilities: [],
    problems: [`this version of Paddock has no ${name} driver yet; ${device}`],
    fix: null,
  };
}

/** Said, not judged: that the device opens does not prove that a kernel boots in it. */
function kvmState(): string {
  try {
    Deno.openSync("/dev/kvm", { read: true, write: true }).close();
    return "/dev/kvm opens, which proves nothing by itself";
  } catch (error) {
    return error instanceof Deno.errors.NotFound
      ? "this host has no /dev/kvm"
      : "/dev/kvm does not open";
  }
}

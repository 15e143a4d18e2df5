import { type DriverName, type ProbeResult, silentLog } from "@paddock/driver";
import { createDrivers } from "@paddock/server";
import { findVmGuest } from "../../../images/vm/vm_guest.ts";

export interface DriverReport {
  name: DriverName;
  works: boolean;
  version: string | null;
  capabilities: string[];
  problems: string[];
  /** What works, and how well. */
  notes: string[];
  /** The command that mends it, or null when there is none. */
  fix: string | null;
}

/** How long one driver may take to boot something before that counts as a failure. */
const probeDeadlineMs = 60_000;

/** Probes every driver for real; one of this list that works is enough to run sandboxes. */
export async function driverChecks(
  config: { dataDir: string },
  signal: AbortSignal,
): Promise<DriverReport[]> {
  const boot = await findVmGuest({ dataDir: config.dataDir });
  const stateDir = await Deno.makeTempDir({ prefix: "paddock-doctor-" });
  try {
    const all = { dataDir: config.dataDir, driver: "auto" as const, allowDrivers: [] };
    const reports: DriverReport[] = [];
    for (const driver of createDrivers(all, boot, silentLog, stateDir)) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(probeDeadlineMs)]);
      reports.push(report(await driver.probe(deadline)));
    }
    return reports;
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
    notes: result.notes ?? [],
    fix: result.works ? null : fixOf(result),
  };
}

function fixOf(result: ProbeResult): string | null {
  if (Deno.uid() !== 0) return "sudo npx paddock doctor";
  if (result.version !== undefined) return null;
  return result.driver === "firecracker" ? "sudo npx paddock setup firecracker" : "npm run setup";
}

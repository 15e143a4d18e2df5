import type { Driver, DriverName, ProbeResult } from "@paddock/driver";
import { createFirecrackerDriver, findFirecracker } from "@paddock/driver-firecracker";
import { createGvisorDriver } from "@paddock/driver-gvisor";
import { createQemuDriver } from "@paddock/driver-qemu";
import { ensureVmGuest } from "../images/vm/vm_guest.ts";

/** In the KVM lab every step is emulated twice. */
export const inLab = Deno.env.has("PADDOCK_KVM_LAB");
export const stepMs = inLab ? 600_000 : 60_000;

/** A driver of this host by itself, without an engine, or why the host has it not. */
export type FoundDriver = Pick<ProbeResult, "notes"> & { driver: Driver } | { reason: string };

/** Files of its machines are kept in `stateDir`, those of all machines in the data directory. */
export async function findDriver(
  name: DriverName,
  { dataDir, stateDir }: { dataDir: string; stateDir: string },
): Promise<FoundDriver> {
  const made = await make(name, dataDir, stateDir);
  if ("reason" in made) return made;
  const { works, problems, notes } = await made.probe(AbortSignal.timeout(stepMs));
  return works ? { driver: made, notes } : { reason: problems.join(" ") };
}

async function make(
  name: DriverName,
  dataDir: string,
  stateDir: string,
): Promise<Driver | { reason: string }> {
  if (name === "gvisor") {
    return inLab ? { reason: "the lab is for Firecracker" } : createGvisorDriver({ stateDir });
  }
  if (name === "qemu" && inLab) return { reason: "the lab is for Firecracker" };
  const boot = await ensureVmGuest({ dataDir });
  const cacheDir = `${dataDir}/vm-layers`;
  if (name === "qemu") return createQemuDriver({ stateDir, cacheDir, boot });
  const installed = await findFirecracker(dataDir);
  const firecrackerPath = Deno.env.get("PADDOCK_FIRECRACKER") || installed?.firecracker;
  const jailerPath = Deno.env.get("PADDOCK_JAILER") || installed?.jailer;
  if (!firecrackerPath || !jailerPath) {
    return { reason: "no Firecracker is installed (paddock setup firecracker)" };
  }
  const bootMs = inLab ? stepMs : undefined;
  return createFirecrackerDriver({
    ...{ firecrackerPath, jailerPath, stateDir, cacheDir, boot, bootMs, answerMs: stepMs },
  });
}

import { ensureImage } from "../../images/build_image.ts";
import { defaultDataDir as dataDir } from "../../images/image_store.ts";
import { ensureVmGuest } from "../../images/vm/vm_guest.ts";
import { type ConformanceOptions, registerDriverConformance } from "../driver/conformance.ts";
import { registerCheckpointConformance } from "../driver/conformance_checkpoint.ts";
import { registerVmFaultConformance } from "../driver/conformance_vm_faults.ts";
import { registerVolumeConformance } from "../driver/conformance_volumes.ts";
import { MOST_VOLUMES } from "./_drives.ts";
import { createFirecrackerDriver } from "./firecracker_driver.ts";
import { findFirecracker } from "./installation.ts";

/** In an emulated machine in an emulated machine, a boot may take minutes. */
const LAB_BOOT_MS = 300_000;

/**
 * What the conformance suites need to run Firecracker, or why it cannot run here: it takes binaries and a
 * KVM that boots a kernel, which the KVM lab has.
 */
async function conformanceOptions(
  { answerMs }: { answerMs?: number } = {},
): Promise<ConformanceOptions | { reason: string }> {
  const inLab = Deno.env.has("PADDOCK_KVM_LAB");
  const installed = await findFirecracker(dataDir).catch(() => undefined);
  const firecrackerPath = Deno.env.get("PADDOCK_FIRECRACKER") || installed?.firecracker;
  const jailerPath = Deno.env.get("PADDOCK_JAILER") || installed?.jailer;
  if (!firecrackerPath || !jailerPath) {
    return {
      reason: "no Firecracker is installed, nor named by PADDOCK_FIRECRACKER and PADDOCK_JAILER",
    };
  }
  const boot = await ensureVmGuest({ dataDir });
  const bootMs = inLab ? LAB_BOOT_MS : undefined;
  const createDriver = (stateDir: string) =>
    createFirecrackerDriver({
      ...{ stateDir, firecrackerPath, jailerPath, boot, bootMs, answerMs },
      cacheDir: `${dataDir}/vm-layers`,
    });
  if (!inLab) {
    const { works, problems } = await createDriver(dataDir).probe(AbortSignal.timeout(60_000));
    if (!works) return { reason: problems.join(" ") };
  }
  return {
    name: "firecracker",
    createDriver,
    isVital: (commandLine) => commandLine.startsWith("/firecracker --id"),
    image: () => ensureImage({ dataDir, trust: "host" }),
    bootMs,
    // Each byte is an exit from a machine that is emulated itself.
    ...(inLab && { floodBytes: 250_000 }),
    ownKernel: true,
  };
}

const options = await conformanceOptions();
if ("reason" in options) {
  const { reason } = options;
  Deno.test({
    name: `firecracker: the conformance suites: skipped, for ${reason}`,
    ignore: reason !== undefined,
    fn: () => {},
  });
} else {
  registerDriverConformance(options);
  registerCheckpointConformance(options);
  registerVolumeConformance({ ...options, mostVolumes: MOST_VOLUMES });
  registerVmFaultConformance(await conformanceOptions({ answerMs: 20_000 }) as ConformanceOptions);
}

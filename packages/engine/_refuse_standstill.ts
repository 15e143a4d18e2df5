import type { Capability } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import type { RunningSandbox } from "./engine.ts";
import { hasVolumes } from "./volumes/cold_launch.ts";

/** Throws when a sandbox's machine cannot be written, or, for a pause, cannot be stopped meanwhile. */
export function refuseStandstill(
  { spec, driver, capabilities }: Pick<RunningSandbox, "spec" | "driver" | "capabilities">,
  need: Capability,
): void {
  for (const capability of ["checkpoint", need] as const) {
    if (capabilities.includes(capability)) continue;
    throw new PaddockError("DRIVER_CANNOT", {
      message: `Machines of ${driver} cannot do that here: ${capability}.`,
    });
  }
  if (hasVolumes(spec)) {
    throw new PaddockError("NOT_SUPPORTED_YET", {
      message: "The sandbox has volumes: a volume has one writer, so it can be neither " +
        "forked nor checkpointed nor paused.",
    });
  }
}

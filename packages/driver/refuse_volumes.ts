import { PaddockError } from "@paddock/protocol";
import type { Driver, LaunchSpec } from "./driver.ts";

/** For `launch` of a driver without `traits.volumeFormat`: a machine without them could lose data. */
export function refuseVolumes(
  { name }: Pick<Driver, "name">,
  { volumes = [], rootVolume }: LaunchSpec,
): void {
  if (volumes.length === 0 && rootVolume === undefined) return;
  throw new PaddockError("DRIVER_CANNOT", { message: `Machines of ${name} have no volumes.` });
}

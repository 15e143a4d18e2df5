import type { LaunchSpec, RootVolume } from "./driver.ts";

/** Every image that outlives the machine: a root of its own if it has one, then the volumes. */
export function volumeImages({ rootVolume, volumes = [] }: LaunchSpec): RootVolume[] {
  return [...(rootVolume ? [rootVolume] : []), ...volumes];
}

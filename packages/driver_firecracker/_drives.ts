import type { RootVolume } from "@paddock/driver";
import type { Drive, RateLimiter } from "./_api_schemas.ts";
import { JAIL_FILES, type JailMount } from "./_jail.ts";

/** Of the 19 interrupts that a machine has for devices, the others have eight. */
export const MOST_VOLUMES = 10;

/** The drives that every machine has, in the order in which the guest finds them. */
export const DRIVES = { root: "root", disk: "disk", layers: "layers" } as const;

/** Where the VMM sees a volume's image. */
function volumeInJail(index: number): string {
  return `/volume-${index}.ext4`;
}

export function volumeMounts(volumes: readonly RootVolume[]): JailMount[] {
  return volumes.map(({ image, readOnly }, index) => ({
    ...{ source: image, target: volumeInJail(index), readOnly },
  }));
}

/** All of a machine's drives, in that order: the volumes are after what every machine has. */
export function drives(volumes: readonly RootVolume[], limiter: RateLimiter | undefined): Drive[] {
  const drive = (id: string, path: string, readOnly: boolean, more?: Partial<Drive>): Drive => ({
    drive_id: id,
    path_on_host: path,
    is_root_device: false,
    is_read_only: readOnly,
    ...(limiter && { rate_limiter: limiter }),
    ...more,
  });
  return [
    drive(DRIVES.root, JAIL_FILES.root, true),
    drive(DRIVES.disk, JAIL_FILES.disk, false),
    drive(DRIVES.layers, JAIL_FILES.layers, true),
    ...volumes.map(({ readOnly }, index) =>
      // What the guest syncs is to be on the host's disk, not in its memory.
      drive(`volume_${index}`, volumeInJail(index), readOnly, { cache_type: "Writeback" })
    ),
  ];
}

import { PaddockError } from "@paddock/protocol";
import type { RootVolume } from "@paddock/driver";
import { MOST_VOLUMES, volumeInView } from "./machine_arguments.ts";
import type { ViewFiles } from "./_machine_view.ts";

/** A machine of this type has no places for more. */
export function refuseTooMany(volumes: readonly RootVolume[]): void {
  if (volumes.length <= MOST_VOLUMES) return;
  throw new PaddockError("DRIVER_CANNOT", {
    message: `Machines of qemu have at most ${MOST_VOLUMES} volumes, their root among them.`,
  });
}

/**
 * Makes images the machine's user's to write, or anybody's to read: several machines may, each as a user of
 * its own. Nobody but root enters the directory they are in. Answers where the machine sees which.
 */
export async function lendVolumes(
  volumes: readonly RootVolume[],
  uid: number,
): Promise<ViewFiles> {
  const lent: ViewFiles = { readOnly: {}, writable: {} };
  for (const [index, { image, readOnly }] of volumes.entries()) {
    const owner = readOnly ? 0 : uid;
    await Deno.chown(image, owner, owner);
    await Deno.chmod(image, readOnly ? 0o444 : 0o600);
    lent[readOnly ? "readOnly" : "writable"][volumeInView(index)] = image;
  }
  return lent;
}

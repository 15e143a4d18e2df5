import { PaddockError } from "@paddock/protocol";
import type { RootVolume } from "../driver.ts";

/** A machine has places for so many drives, and no more. */
export function refuseTooMany(
  driver: string,
  most: number,
  volumes: readonly RootVolume[],
): void {
  if (volumes.length <= most) return;
  throw new PaddockError("DRIVER_CANNOT", {
    message: `Machines of ${driver} have at most ${most} volumes, their root among them.`,
  });
}

/**
 * Makes images the machine's user's to write, or anybody's to read: several machines may, each as a user of
 * its own. Nobody but root enters the directory they are in.
 */
export async function lendVolumes(volumes: readonly RootVolume[], uid: number): Promise<void> {
  for (const { image, readOnly } of volumes) {
    const owner = readOnly ? 0 : uid;
    await Deno.chown(image, owner, owner);
    await Deno.chmod(image, readOnly ? 0o444 : 0o600);
  }
}

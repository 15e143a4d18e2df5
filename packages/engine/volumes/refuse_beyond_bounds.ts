import { PaddockError } from "@paddock/protocol";
import type { StoredVolume, VolumeBounds } from "./volume_store.ts";

/** What an organisation has already. */
export interface VolumeTotals {
  count: number;
  bytes: number;
}

/** Throws TOO_MANY_VOLUMES when the organisation may not have one more of this size. */
export function refuseBeyondBounds(
  record: StoredVolume,
  { count, bytes }: VolumeTotals,
  { volumesPerOrganization, volumeBytesPerOrganization }: VolumeBounds,
): void {
  if (count >= volumesPerOrganization) {
    throw new PaddockError("TOO_MANY_VOLUMES", {
      message: `The organisation has ${count} volumes and snapshots, as many as it may have ` +
        "(limits.volumesPerOrganization).",
      details: { limit: "volumesPerOrganization", max: volumesPerOrganization },
    });
  }
  if (bytes + record.chargedBytes > volumeBytesPerOrganization) {
    throw new PaddockError("TOO_MANY_VOLUMES", {
      message:
        `The organisation's volumes and snapshots have ${bytes} bytes together, and with this ` +
        `one more than the ${volumeBytesPerOrganization} they may have ` +
        "(limits.volumeBytesPerOrganization).",
      details: { limit: "volumeBytesPerOrganization", max: volumeBytesPerOrganization },
    });
  }
}

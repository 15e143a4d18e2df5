import type { SandboxSpec, StoredVolume } from "@paddock/engine";
import { PaddockError, type SandboxConfig } from "@paddock/protocol";
import type { VolumeRecords } from "../store/volumes.ts";

export interface ResolvedVolumes extends Pick<SandboxSpec, "root" | "volumes"> {
  /** Where they are; undefined when there are none. */
  region?: string;
}

/** The volumes that a configuration means. Throws VOLUME_NOT_FOUND and INVALID_CONFIG. */
export function resolveVolumes(
  config: Pick<SandboxConfig, "root" | "volumes">,
  organizationId: string,
  records: VolumeRecords,
): ResolvedVolumes {
  const found: StoredVolume[] = [];
  const find = (reference: string, field: string): string => {
    const record = records.find(organizationId, reference);
    if (!record) {
      throw new PaddockError("VOLUME_NOT_FOUND", {
        field,
        message: `There is no volume or snapshot "${reference}".`,
      });
    }
    found.push(record);
    return record.id;
  };
  const root = config.root && find(config.root.volume, "root");
  const volumes = config.volumes.map(({ volume, path }) => ({
    volumeId: find(volume, "volumes"),
    path,
  }));
  const [region, other] = new Set(found.map((record) => record.region));
  if (other !== undefined) {
    throw new PaddockError("INVALID_CONFIG", {
      field: "volumes",
      message: `volumes: they are in different regions, ${region} and ${other}`,
    });
  }
  return {
    ...(root !== undefined && { root }),
    ...(volumes.length > 0 && { volumes }),
    ...(region !== undefined && { region }),
  };
}

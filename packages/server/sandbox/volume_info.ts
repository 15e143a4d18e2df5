import type { StoredVolume } from "@paddock/engine";
import type { SnapshotInfo, VolumeInfo } from "@paddock/protocol";
import type { Services } from "../services.ts";

type Parts = Pick<Services, "engine" | "store">;

export async function volumeInfo(
  { engine, store }: Parts,
  record: StoredVolume,
): Promise<VolumeInfo> {
  const { allocated, flattened } = await engine.volumes.size(record);
  const { origin } = record;
  return {
    ...common(record),
    estimated_allocated_size: allocated,
    estimated_flattened_size: flattened,
    base_snapshot: origin && store.volumes.get(origin.id)?.state === "ready" ? origin : null,
    attached_to: record.attachedTo,
  };
}

export async function snapshotInfo(
  { engine }: Pick<Parts, "engine">,
  record: StoredVolume,
): Promise<SnapshotInfo> {
  const { allocated, flattened } = await engine.volumes.size(record);
  return {
    ...common(record),
    allocated_size: allocated,
    flattened_size: flattened,
    volume: record.origin!,
  };
}

function common({ id, slug, region, capacityBytes, bootable, createdAt }: StoredVolume) {
  return {
    id,
    slug,
    region,
    capacity: capacityBytes,
    is_bootable: bootable,
    created_at: new Date(createdAt).toISOString(),
  };
}

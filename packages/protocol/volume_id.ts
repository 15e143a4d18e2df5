import { newSandboxId } from "./sandbox_id.ts";

export type VolumeKind = "volume" | "snapshot";

const PREFIX: Record<VolumeKind, string> = { volume: "vol", snapshot: "snp" };

/** A new id, such as `vol_ord_…`; it cannot be guessed, and is never a slug. */
export function newVolumeId(kind: VolumeKind, regionCode: string): string {
  return newSandboxId(regionCode).replace(/^sbx/, PREFIX[kind]);
}

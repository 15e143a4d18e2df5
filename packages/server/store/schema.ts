import type { DriverName } from "@paddock/driver";
import type {
  CheckpointKind,
  CheckpointState,
  EndReason,
  SandboxState,
  StoredVolume,
} from "@paddock/engine";
import type { ExposureKind } from "@paddock/gateway";

/** Times are epoch milliseconds throughout. */
export interface Schema {
  organizations: OrganizationTable;
  tokens: TokenTable;
  sandboxes: SandboxTable;
  exposures: ExposureTable;
  volumes: VolumeTable;
  checkpoints: CheckpointTable;
}

export interface OrganizationTable {
  id: string;
  name: string;
  created_at: number;
}

export interface TokenTable {
  id: string;
  organization_id: string;
  name: string;
  /** SHA-256 of the whole token, hexadecimal. */
  hash: string;
  created_at: number;
  last_used_at: number | null;
  revoked_at: number | null;
}

export interface SandboxTable {
  id: string;
  organization_id: string;
  alias: string | null;
  parent: string | null;
  template: string | null;
  region: string;
  driver: DriverName;
  state: SandboxState;
  /** JSON object of strings. */
  labels: string;
  memory_bytes: number;
  created_at: number;
  stop_at: number | null;
  stopped_at: number | null;
  end_reason: EndReason | null;
  pause_after_idle_ms: number | null;
  /** JSON of what a paused one is, see `PausedState`. */
  paused: string | null;
}

export interface ExposureTable {
  /** A label of the base domain; of SSH the SHA-256 of the user name, hexadecimal. */
  name: string;
  kind: ExposureKind;
  sandbox_id: string;
  organization_id: string;
  access: "public" | "protected";
  /** SHA-256 of the token that visitors show, hexadecimal. */
  access_hash: string | null;
  created_at: number;
}

/** Volumes and snapshots together, because they share their slugs. */
export interface VolumeTable {
  id: string;
  kind: StoredVolume["kind"];
  organization_id: string;
  slug: string;
  region: string;
  state: StoredVolume["state"];
  capacity_bytes: number;
  charged_bytes: number;
  shared_bytes: number;
  format: StoredVolume["format"];
  bootable: 0 | 1;
  origin_id: string | null;
  origin_slug: string | null;
  attached_to: string | null;
  created_at: number;
}

/** Templates are checkpoints with a definition. */
export interface CheckpointTable {
  id: string;
  kind: CheckpointKind;
  organization_id: string;
  name: string | null;
  definition: string | null;
  region: string;
  state: CheckpointState;
  driver: DriverName;
  sandbox_id: string;
  /** JSON object of strings. */
  labels: string;
  memory_bytes: number;
  bytes: number;
  created_at: number;
}

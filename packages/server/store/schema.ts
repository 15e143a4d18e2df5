import type { DriverName } from "@paddock/driver";
import type { EndReason, SandboxState } from "@paddock/engine";

/** Times are epoch milliseconds throughout. */
export interface Schema {
  organizations: OrganizationTable;
  tokens: TokenTable;
  sandboxes: SandboxTable;
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
}

import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RecordStore } from "@paddock/engine";
import { Kysely } from "kysely";
import { type CheckpointRecords, createCheckpoints } from "./checkpoints.ts";
import { createExposures, type Exposures } from "./exposures.ts";
import { migrate } from "./migrations.ts";
import { NodeSqlite } from "./node_sqlite.ts";
import { createOrganizations, type Organizations } from "./organizations.ts";
import { type Pruned, pruneRecords, type RecordBounds } from "./prune_records.ts";
import { createRecords } from "./records.ts";
import { createSandboxes, type Sandboxes } from "./sandboxes.ts";
import type { Schema } from "./schema.ts";
import { createTokens, type Tokens } from "./tokens.ts";
import { createVolumes, type VolumeRecords } from "./volumes.ts";

export interface Store extends Disposable {
  readonly organizations: Organizations;
  readonly tokens: Tokens;
  readonly sandboxes: Sandboxes;
  readonly exposures: Exposures;
  readonly volumes: VolumeRecords;
  readonly checkpoints: CheckpointRecords;
  /** For the engine: written synchronously, before it acts. */
  readonly records: RecordStore;
  /** Forgets a batch of what ended long ago; see `pruneRecords`. */
  prune(bounds: RecordBounds, batch: number, now?: number): Pruned;
  close(): void;
}

/** How long one process waits for another's write (`paddock token create` beside a server). */
const BUSY_TIMEOUT_MS = 5_000;

/** Opens the records of a data directory, creating or upgrading them as needed. */
export function openStore(dataDir: string): Store {
  // Images hold setuid programs of another system: nobody else on this host may reach them.
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, "paddock.db");
  const database = new NodeSqlite(path, BUSY_TIMEOUT_MS);
  try {
    // Labels and organisations are nobody else's business on a shared host.
    chmodSync(path, 0o600);
    migrate(database);
  } catch (error) {
    database.close();
    throw error;
  }
  const db = new Kysely<Schema>({ dialect: database.dialect });
  const organizations = createOrganizations(db);
  const close = () => database.close();
  return {
    organizations,
    tokens: createTokens(db, organizations.idOf),
    sandboxes: createSandboxes(db),
    exposures: createExposures(database),
    volumes: createVolumes(database, db),
    checkpoints: createCheckpoints(database, db),
    records: createRecords(database, db),
    prune: (bounds, batch, now = Date.now()) => pruneRecords(database, bounds, { batch, now }),
    close,
    [Symbol.dispose]: close,
  };
}

import { PaddockError } from "@paddock/protocol";
import type { NodeSqlite } from "./node_sqlite.ts";

/** Applied in order, once each; an entry that has been released is never edited. */
const migrations: readonly string[] = [
  `CREATE TABLE organizations (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     created_at INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE tokens (
     id TEXT PRIMARY KEY,
     organization_id TEXT NOT NULL REFERENCES organizations (id),
     name TEXT NOT NULL,
     hash TEXT NOT NULL UNIQUE,
     created_at INTEGER NOT NULL,
     last_used_at INTEGER,
     revoked_at INTEGER
   ) STRICT;
   CREATE INDEX tokens_name ON tokens (organization_id, name);
   CREATE TABLE sandboxes (
     id TEXT PRIMARY KEY,
     organization_id TEXT NOT NULL REFERENCES organizations (id),
     alias TEXT,
     region TEXT NOT NULL,
     driver TEXT NOT NULL,
     state TEXT NOT NULL,
     labels TEXT NOT NULL CHECK (json_valid(labels)),
     memory_bytes INTEGER NOT NULL,
     created_at INTEGER NOT NULL,
     stop_at INTEGER,
     stopped_at INTEGER,
     end_reason TEXT
   ) STRICT;
   CREATE UNIQUE INDEX sandboxes_alias ON sandboxes (organization_id, alias)
     WHERE alias IS NOT NULL;
   CREATE INDEX sandboxes_newest ON sandboxes (organization_id, created_at DESC, id DESC);
   CREATE INDEX sandboxes_unfinished ON sandboxes (state) WHERE state <> 'stopped';`,
  `CREATE TABLE exposures (
     name TEXT PRIMARY KEY,
     kind TEXT NOT NULL,
     sandbox_id TEXT NOT NULL REFERENCES sandboxes (id),
     organization_id TEXT NOT NULL REFERENCES organizations (id),
     access TEXT NOT NULL,
     access_hash TEXT,
     created_at INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX exposures_sandbox ON exposures (sandbox_id);`,
  `CREATE INDEX sandboxes_ended ON sandboxes (organization_id, stopped_at) WHERE state = 'stopped';
   CREATE INDEX tokens_revoked ON tokens (organization_id, revoked_at)
     WHERE revoked_at IS NOT NULL;`,
  `CREATE TABLE volumes (
     id TEXT PRIMARY KEY,
     kind TEXT NOT NULL,
     organization_id TEXT NOT NULL REFERENCES organizations (id),
     slug TEXT NOT NULL,
     region TEXT NOT NULL,
     state TEXT NOT NULL,
     capacity_bytes INTEGER NOT NULL,
     charged_bytes INTEGER NOT NULL,
     shared_bytes INTEGER NOT NULL,
     format TEXT NOT NULL,
     bootable INTEGER NOT NULL,
     origin_id TEXT,
     origin_slug TEXT,
     attached_to TEXT,
     created_at INTEGER NOT NULL
   ) STRICT;
   CREATE UNIQUE INDEX volumes_slug ON volumes (organization_id, slug);
   CREATE INDEX volumes_newest ON volumes (organization_id, kind, created_at DESC, id DESC);`,
  `ALTER TABLE sandboxes ADD COLUMN parent TEXT;
   CREATE TABLE checkpoints (
     id TEXT PRIMARY KEY,
     organization_id TEXT NOT NULL REFERENCES organizations (id),
     name TEXT,
     region TEXT NOT NULL,
     state TEXT NOT NULL,
     driver TEXT NOT NULL,
     sandbox_id TEXT NOT NULL,
     labels TEXT NOT NULL CHECK (json_valid(labels)),
     memory_bytes INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     created_at INTEGER NOT NULL
   ) STRICT;
   CREATE UNIQUE INDEX checkpoints_name ON checkpoints (organization_id, name)
     WHERE name IS NOT NULL;
   CREATE INDEX checkpoints_newest ON checkpoints (organization_id, created_at DESC, id DESC);`,
  `ALTER TABLE sandboxes ADD COLUMN pause_after_idle_ms INTEGER;
   ALTER TABLE sandboxes ADD COLUMN paused TEXT;
   ALTER TABLE sandboxes ADD COLUMN template TEXT;
   ALTER TABLE checkpoints ADD COLUMN kind TEXT NOT NULL DEFAULT 'checkpoint';
   ALTER TABLE checkpoints ADD COLUMN definition TEXT;
   DROP INDEX checkpoints_name;
   CREATE UNIQUE INDEX checkpoints_name ON checkpoints (organization_id, kind, name)
     WHERE name IS NOT NULL;`,
];

export function migrate(database: NodeSqlite): void {
  // The version is read inside the transaction, so two processes that open a new data directory
  // at the same moment do not both create its tables.
  database.transaction(() => {
    const row = database.all("PRAGMA user_version", [])[0] as { user_version: number };
    const version = row.user_version;
    if (version > migrations.length) {
      throw new PaddockError("INVALID_SERVER_CONFIG", {
        field: "dataDir",
        message:
          `the records in this data directory were written by a newer Paddock (schema ${version}, ` +
          `this one knows ${migrations.length})`,
      });
    }
    for (let next = version; next < migrations.length; next++) database.exec(migrations[next]);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
  });
}

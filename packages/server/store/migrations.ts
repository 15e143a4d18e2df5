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

import type { RecordStore, SandboxRecord } from "@paddock/engine";
import type { Compilable, Kysely, Selectable } from "kysely";
import type { NodeSqlite } from "./node_sqlite.ts";
import type { SandboxTable, Schema } from "./schema.ts";

/**
 * The engine's records. Calls are synchronous because the engine may act on a sandbox only after
 * its record is on disk; kysely writes the SQL, the connection runs it at once.
 */
export function createRecords(database: NodeSqlite, db: Kysely<Schema>): RecordStore {
  const run = (query: Compilable): number => {
    const { sql, parameters } = query.compile();
    return database.run(sql, parameters);
  };
  const update = (id: string, patch: Partial<SandboxRecord>) => {
    const columns = toColumns(patch);
    if (Object.keys(columns).length === 0) return;
    run(db.updateTable("sandboxes").set(columns).where("id", "=", id));
  };
  return {
    insert(record) {
      run(db.insertInto("sandboxes").values(toRow(record)));
    },
    update,
    note(id, patch) {
      database.unhurried(() => update(id, patch));
    },
    unfinished() {
      const { sql, parameters } = db.selectFrom("sandboxes").selectAll()
        .where("state", "<>", "stopped").compile();
      return (database.all(sql, parameters) as Selectable<SandboxTable>[]).map(fromRow);
    },
  };
}

export function fromRow(row: Selectable<SandboxTable>): SandboxRecord {
  return {
    id: row.id,
    organizationId: row.organization_id,
    alias: row.alias,
    parent: row.parent,
    template: row.template,
    region: row.region,
    driver: row.driver,
    state: row.state,
    labels: JSON.parse(row.labels),
    memoryBytes: row.memory_bytes,
    createdAt: row.created_at,
    stopAt: row.stop_at,
    stoppedAt: row.stopped_at,
    endReason: row.end_reason,
    pauseAfterIdleMs: row.pause_after_idle_ms,
    paused: row.paused === null ? null : JSON.parse(row.paused),
  };
}

function toRow(record: SandboxRecord): SandboxTable {
  return {
    id: record.id,
    organization_id: record.organizationId,
    alias: record.alias,
    parent: record.parent,
    template: record.template,
    region: record.region,
    driver: record.driver,
    state: record.state,
    labels: JSON.stringify(record.labels),
    memory_bytes: record.memoryBytes,
    created_at: record.createdAt,
    stop_at: record.stopAt,
    stopped_at: record.stoppedAt,
    end_reason: record.endReason,
    pause_after_idle_ms: record.pauseAfterIdleMs,
    paused: record.paused && JSON.stringify(record.paused),
  };
}

/** Who owns a sandbox, its id and its birth never change, so a patch of those is not carried. */
function toColumns(patch: Partial<SandboxRecord>): Partial<SandboxTable> {
  const columns: Partial<SandboxTable> = {};
  if (patch.driver !== undefined) columns.driver = patch.driver;
  if (patch.state !== undefined) columns.state = patch.state;
  if (patch.labels !== undefined) columns.labels = JSON.stringify(patch.labels);
  if (patch.memoryBytes !== undefined) columns.memory_bytes = patch.memoryBytes;
  if (patch.stopAt !== undefined) columns.stop_at = patch.stopAt;
  if (patch.stoppedAt !== undefined) columns.stopped_at = patch.stoppedAt;
  if (patch.endReason !== undefined) columns.end_reason = patch.endReason;
  if (patch.paused !== undefined) columns.paused = patch.paused && JSON.stringify(patch.paused);
  return columns;
}

import {
  type CheckpointKind,
  type CheckpointStore,
  refuseCheckpointBeyondBounds,
  type StoredCheckpoint,
} from "@paddock/engine";
import { PaddockError } from "@paddock/protocol";
import { type Compilable, type Kysely, type Selectable, sql } from "kysely";
import type { NodeSqlite } from "./node_sqlite.ts";
import type { CheckpointTable, Schema } from "./schema.ts";

export interface CheckpointListQuery {
  organizationId: string;
  kind: CheckpointKind;
  limit: number;
  /** The last record of the page before. */
  after?: { createdAt: number; id: string };
}

/** The engine's records of checkpoints, and what routes ask of them. */
export interface CheckpointRecords extends CheckpointStore {
  /** By id or name. Only what is whole. */
  find(
    organizationId: string,
    kind: CheckpointKind,
    idOrName: string,
  ): StoredCheckpoint | undefined;
  /** Newest first. */
  list(query: CheckpointListQuery): Promise<StoredCheckpoint[]>;
}

export function createCheckpoints(database: NodeSqlite, db: Kysely<Schema>): CheckpointRecords {
  const run = (query: Compilable): number => {
    const { sql, parameters } = query.compile();
    return database.run(sql, parameters);
  };
  const rows = (query: Compilable): StoredCheckpoint[] => {
    const { sql, parameters } = query.compile();
    return (database.all(sql, parameters) as Selectable<CheckpointTable>[]).map(fromRow);
  };
  const ofKind = (kind: CheckpointKind) =>
    db.selectFrom("checkpoints").selectAll().where("kind", "=", kind);
  const named = (organizationId: string, kind: CheckpointKind, name: string) =>
    rows(ofKind(kind).where("organization_id", "=", organizationId).where("name", "=", name))[0];
  return {
    insert(record, bounds) {
      const { organizationId, name } = record;
      database.transaction(() => {
        if (name !== null && named(organizationId, record.kind, name)) {
          throw new PaddockError("CHECKPOINT_NAME_TAKEN", { field: "name" });
        }
        const [totals] = database.all(
          `SELECT count(*) FILTER (WHERE (kind = 'paused') = ?) AS count,
             coalesce(sum(bytes), 0) AS bytes
           FROM checkpoints WHERE organization_id = ?`,
          [record.kind === "paused" ? 1 : 0, organizationId],
        );
        const { count, bytes } = totals as { count: number; bytes: number };
        refuseCheckpointBeyondBounds(record, { count, bytes }, bounds);
        run(db.insertInto("checkpoints").values(toRow(record)));
      });
    },

    publish(id, bytes, templateName) {
      return database.transaction(() => {
        const { organization_id, name } = database.all(
          "SELECT organization_id, name FROM checkpoints WHERE id = ?",
          [id],
        )[0] as Pick<Selectable<CheckpointTable>, "organization_id" | "name">;
        const replaced = templateName === undefined
          ? undefined
          : named(organization_id, "template", templateName)?.id;
        const change = db.updateTable("checkpoints");
        if (replaced !== undefined) {
          run(change.set({ state: "deleting", name: null }).where("id", "=", replaced));
        }
        const ready = { state: "ready", bytes, name: templateName ?? name } as const;
        run(change.set(ready).where("id", "=", id));
        return replaced;
      });
    },

    update(id, { state, name }) {
      const columns = {
        ...(state === undefined ? {} : { state }),
        ...(name === undefined ? {} : { name }),
      };
      if (Object.keys(columns).length === 0) return;
      run(db.updateTable("checkpoints").set(columns).where("id", "=", id));
    },

    remove: (id) => void run(db.deleteFrom("checkpoints").where("id", "=", id)),
    get: (id) => rows(db.selectFrom("checkpoints").selectAll().where("id", "=", id))[0],
    all: () => rows(db.selectFrom("checkpoints").selectAll()),

    find: (organizationId, kind, idOrName) =>
      rows(
        ofKind(kind).where("organization_id", "=", organizationId).where("state", "=", "ready")
          .where((where) => where.or([where("id", "=", idOrName), where("name", "=", idOrName)])),
      )[0],

    async list({ organizationId, kind, limit, after }) {
      let query = ofKind(kind)
        .where("organization_id", "=", organizationId).where("state", "=", "ready")
        .orderBy("created_at", "desc").orderBy("id", "desc").limit(limit);
      if (after) {
        query = query.where(sql<boolean>`(created_at, id) < (${after.createdAt}, ${after.id})`);
      }
      return (await query.execute()).map(fromRow);
    },
  };
}

function fromRow(row: Selectable<CheckpointTable>): StoredCheckpoint {
  return {
    id: row.id,
    kind: row.kind,
    organizationId: row.organization_id,
    name: row.name,
    definition: row.definition,
    region: row.region,
    state: row.state,
    driver: row.driver,
    sandboxId: row.sandbox_id,
    labels: JSON.parse(row.labels),
    memoryBytes: row.memory_bytes,
    bytes: row.bytes,
    createdAt: row.created_at,
  };
}

function toRow(record: StoredCheckpoint): CheckpointTable {
  return {
    id: record.id,
    kind: record.kind,
    organization_id: record.organizationId,
    name: record.name,
    definition: record.definition,
    region: record.region,
    state: record.state,
    driver: record.driver,
    sandbox_id: record.sandboxId,
    labels: JSON.stringify(record.labels),
    memory_bytes: record.memoryBytes,
    bytes: record.bytes,
    created_at: record.createdAt,
  };
}

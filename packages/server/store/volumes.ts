import {
  refuseBeyondBounds,
  type StoredVolume,
  type VolumeStore,
  type VolumeTotals,
} from "@paddock/engine";
import { PaddockError, type VolumeKind } from "@paddock/protocol";
import { type Compilable, type Kysely, type Selectable, sql } from "kysely";
import type { NodeSqlite } from "./node_sqlite.ts";
import type { Schema, VolumeTable } from "./schema.ts";

export interface VolumeListQuery {
  organizationId: string;
  kind: VolumeKind;
  /** Part of a slug, or an id. */
  search?: string;
  limit: number;
  /** The last record of the page before. */
  after?: { createdAt: number; id: string };
}

/** The engine's records of volumes and snapshots, and what routes ask of them. */
export interface VolumeRecords extends VolumeStore {
  /** By id or slug; of either kind when none is named. Only what is whole. */
  find(organizationId: string, idOrSlug: string, kind?: VolumeKind): StoredVolume | undefined;
  /** Newest first. */
  list(query: VolumeListQuery): Promise<StoredVolume[]>;
}

export function createVolumes(database: NodeSqlite, db: Kysely<Schema>): VolumeRecords {
  const run = (query: Compilable): number => {
    const { sql, parameters } = query.compile();
    return database.run(sql, parameters);
  };
  const rows = (query: Compilable): StoredVolume[] => {
    const { sql, parameters } = query.compile();
    return (database.all(sql, parameters) as Selectable<VolumeTable>[]).map(fromRow);
  };
  return {
    insert(record, bounds) {
      const { organizationId, slug } = record;
      database.transaction(() => {
        const taken = "SELECT 1 FROM volumes WHERE organization_id = ? AND slug = ?";
        if (database.all(taken, [organizationId, slug]).length > 0) {
          throw new PaddockError("SLUG_TAKEN", { field: "slug" });
        }
        const [totals] = database.all(
          `SELECT count(*) AS count, coalesce(sum(charged_bytes), 0) AS bytes
           FROM volumes WHERE organization_id = ?`,
          [organizationId],
        );
        refuseBeyondBounds(record, totals as VolumeTotals, bounds);
        run(db.insertInto("volumes").values(toRow(record)));
      });
    },

    update(id, { state, sharedBytes, attachedTo }) {
      const columns = {
        ...(state === undefined ? {} : { state }),
        ...(sharedBytes === undefined ? {} : { shared_bytes: sharedBytes }),
        ...(attachedTo === undefined ? {} : { attached_to: attachedTo }),
      };
      if (Object.keys(columns).length === 0) return;
      run(db.updateTable("volumes").set(columns).where("id", "=", id));
    },

    remove: (id) => void run(db.deleteFrom("volumes").where("id", "=", id)),
    get: (id) => rows(db.selectFrom("volumes").selectAll().where("id", "=", id))[0],
    all: () => rows(db.selectFrom("volumes").selectAll()),

    find(organizationId, idOrSlug, kind) {
      let query = db.selectFrom("volumes").selectAll()
        .where("organization_id", "=", organizationId).where("state", "=", "ready")
        .where((where) => where.or([where("id", "=", idOrSlug), where("slug", "=", idOrSlug)]));
      if (kind !== undefined) query = query.where("kind", "=", kind);
      return rows(query)[0];
    },

    async list({ organizationId, kind, search, limit, after }) {
      let query = db.selectFrom("volumes").selectAll()
        .where("organization_id", "=", organizationId).where("kind", "=", kind)
        .where("state", "=", "ready")
        .orderBy("created_at", "desc").orderBy("id", "desc").limit(limit);
      if (search !== undefined) {
        query = query.where((where) =>
          where.or([
            where("id", "=", search),
            sql<boolean>`instr(slug, ${search.toLowerCase()}) > 0`,
          ])
        );
      }
      if (after) {
        query = query.where(sql<boolean>`(created_at, id) < (${after.createdAt}, ${after.id})`);
      }
      return (await query.execute()).map(fromRow);
    },
  };
}

function fromRow(row: Selectable<VolumeTable>): StoredVolume {
  return {
    id: row.id,
    kind: row.kind,
    organizationId: row.organization_id,
    slug: row.slug,
    region: row.region,
    state: row.state,
    capacityBytes: row.capacity_bytes,
    chargedBytes: row.charged_bytes,
    sharedBytes: row.shared_bytes,
    format: row.format,
    bootable: row.bootable === 1,
    origin: row.origin_id === null ? null : { id: row.origin_id, slug: row.origin_slug! },
    attachedTo: row.attached_to,
    createdAt: row.created_at,
  };
}

function toRow(record: StoredVolume): VolumeTable {
  return {
    id: record.id,
    kind: record.kind,
    organization_id: record.organizationId,
    slug: record.slug,
    region: record.region,
    state: record.state,
    capacity_bytes: record.capacityBytes,
    charged_bytes: record.chargedBytes,
    shared_bytes: record.sharedBytes,
    format: record.format,
    bootable: record.bootable ? 1 : 0,
    origin_id: record.origin?.id ?? null,
    origin_slug: record.origin?.slug ?? null,
    attached_to: record.attachedTo,
    created_at: record.createdAt,
  };
}

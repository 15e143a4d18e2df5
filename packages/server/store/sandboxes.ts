import type { SandboxRecord } from "@paddock/engine";
import { type Kysely, sql } from "kysely";
import { fromRow } from "./records.ts";
import type { Schema } from "./schema.ts";

export type StatusFilter = "running" | "stopped" | "all";

export interface ListQuery {
  organizationId: string;
  labels: Record<string, string>;
  status: StatusFilter;
  region?: string;
  limit?: number;
  /** The last record of the page before. */
  after?: { createdAt: number; id: string };
}

/** What routes ask of the records. Every question names the organisation that asks. */
export interface Sandboxes {
  /** By id, or by the name the client gave at creation. */
  find(organizationId: string, idOrAlias: string): Promise<SandboxRecord | undefined>;
  /** Newest first. */
  list(query: ListQuery): Promise<SandboxRecord[]>;
}

export function createSandboxes(db: Kysely<Schema>): Sandboxes {
  return {
    async find(organizationId, idOrAlias) {
      const row = await db.selectFrom("sandboxes").selectAll()
        .where("organization_id", "=", organizationId)
        .where((where) => where.or([where("id", "=", idOrAlias), where("alias", "=", idOrAlias)]))
        .limit(1).executeTakeFirst();
      return row && fromRow(row);
    },

    async list({ organizationId, labels, status, region, limit, after }) {
      let query = db.selectFrom("sandboxes").selectAll()
        .where("organization_id", "=", organizationId)
        .orderBy("created_at", "desc").orderBy("id", "desc");
      if (status === "stopped") query = query.where("state", "=", "stopped");
      if (status === "running") query = query.where("state", "<>", "stopped");
      if (region !== undefined) query = query.where("region", "=", region);
      for (const [key, value] of Object.entries(labels)) {
        // json_each instead of a JSON path: a label's key may hold any character.
        query = query.where(
          sql<boolean>`exists (select 1 from json_each(sandboxes.labels) as label
            where label.key = ${key} and label.value = ${value})`,
        );
      }
      if (after) {
        query = query.where(
          sql<boolean>`(created_at, id) < (${after.createdAt}, ${after.id})`,
        );
      }
      if (limit !== undefined) query = query.limit(limit);
      return (await query.execute()).map(fromRow);
    },
  };
}

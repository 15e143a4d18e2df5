import { createHash } from "node:crypto";
import type { Exposure, ExposureDirectory, ExposureKind } from "@paddock/gateway";
import { PaddockError } from "@paddock/protocol";
import type { NodeSqlite } from "./node_sqlite.ts";
import type { ExposureTable } from "./schema.ts";

/** Names whose record is remembered; a visitor's every request asks for one. */
const REMEMBERED = 4_096;

/** So many new rows, and old ones are looked for again: a loop of creations cannot fill the disk. */
const PRUNE_EVERY = 1_000;

export interface ExposureBounds {
  exposuresPerSandbox: number;
  exposuresKept: number;
  exposureKeptMs: number;
}

/**
 * The names under which strangers reach sandboxes. Written before they are told to anybody, and
 * read for each visitor, so calls are synchronous and what was found is remembered until this
 * connection writes. Asking SQLite each time is an eighth of what a request costs the gateway.
 */
export interface Exposures extends ExposureDirectory {
  /**
   * Keeps a new name. A name that the organisation chose before for a sandbox which has ended, or for
   * this very one, moves here. Throws NAME_TAKEN and TOO_MANY_EXPOSURES.
   */
  insert(exposure: Exposure, bounds: ExposureBounds): void;
  /** Of one sandbox, oldest first. */
  list(sandboxId: string): Exposure[];
  /** False when the sandbox has none of that name. */
  remove(sandboxId: string, name: string): boolean;
  /** Forgets names of sandboxes that ended long ago, and the oldest of those beyond the count. */
  prune(bounds: ExposureBounds, now?: number): number;
}

/** How the user name of SSH is kept: who reads the records cannot log in with it. */
export function hashOfUsername(username: string): string {
  return createHash("sha256").update(username).digest("hex");
}

export function createExposures(database: NodeSqlite): Exposures {
  let inserted = 0;
  const one = (name: string, where: string): Exposure | undefined => {
    const rows = database.all(`SELECT * FROM exposures WHERE name = ? AND ${where}`, [name]);
    return rows.length === 0 ? undefined : fromRow(rows[0] as ExposureTable);
  };
  const remembered = new Map<string, Exposure>();
  let readAt = database.changes;
  const find = (name: string) => {
    const { changes } = database;
    if (changes !== readAt || remembered.size >= REMEMBERED) remembered.clear();
    readAt = changes;
    const known = remembered.get(name) ?? one(name, "kind <> 'ssh'");
    // What is not there is not remembered: strangers make such names up.
    if (known) remembered.set(name, known);
    return known;
  };

  function isEnded(sandboxId: string): boolean {
    const rows = database.all("SELECT state FROM sandboxes WHERE id = ?", [sandboxId]);
    return (rows[0] as { state: string } | undefined)?.state === "stopped";
  }

  function prune({ exposuresKept, exposureKeptMs }: ExposureBounds, now = Date.now()): number {
    const ended = "SELECT id FROM sandboxes WHERE state = 'stopped'";
    const old = database.run(
      `DELETE FROM exposures WHERE sandbox_id IN (${ended} AND stopped_at < ?)`,
      [now - exposureKeptMs],
    );
    const surplus = database.run(
      `DELETE FROM exposures WHERE rowid IN (
         SELECT rowid FROM exposures WHERE sandbox_id IN (${ended})
         ORDER BY created_at DESC, rowid DESC LIMIT -1 OFFSET ?)`,
      [exposuresKept],
    );
    return old + surplus;
  }

  return {
    find,
    findSsh: (username) => one(hashOfUsername(username), "kind = 'ssh'"),
    prune,

    insert(exposure, bounds) {
      database.transaction(() => {
        const { name, kind, sandboxId, organizationId, access, accessHash, createdAt } = exposure;
        const holder = find(name);
        if (holder) {
          const mayMove = holder.organizationId === organizationId &&
            (holder.sandboxId === sandboxId || isEnded(holder.sandboxId));
          if (!mayMove) throw new PaddockError("NAME_TAKEN", { field: "name" });
          database.run("DELETE FROM exposures WHERE name = ?", [name]);
        }
        const [{ count }] = database.all(
          "SELECT count(*) AS count FROM exposures WHERE sandbox_id = ?",
          [sandboxId],
        ) as [{ count: number }];
        if (count >= bounds.exposuresPerSandbox) {
          throw new PaddockError("TOO_MANY_EXPOSURES", {
            message: `The sandbox has ${count} preview URLs and SSH names, the most it may have ` +
              "(limits.exposuresPerSandbox).",
            details: { limit: "exposuresPerSandbox", max: bounds.exposuresPerSandbox },
          });
        }
        database.run("INSERT INTO exposures VALUES (?, ?, ?, ?, ?, ?, ?)", [
          ...[name, kind, sandboxId, organizationId, access, accessHash, createdAt],
        ]);
      });
      if (++inserted % PRUNE_EVERY === 0) prune(bounds);
    },

    list: (sandboxId) =>
      (database.all(
        "SELECT * FROM exposures WHERE sandbox_id = ? ORDER BY created_at, rowid",
        [sandboxId],
      ) as ExposureTable[]).map(fromRow),

    remove: (sandboxId, name) =>
      database.run("DELETE FROM exposures WHERE sandbox_id = ? AND name = ?", [sandboxId, name]) >
        0,
  };
}

function fromRow(row: ExposureTable): Exposure {
  return {
    name: row.name,
    kind: row.kind as ExposureKind,
    sandboxId: row.sandbox_id,
    organizationId: row.organization_id,
    access: row.access,
    accessHash: row.access_hash,
    createdAt: row.created_at,
  };
}

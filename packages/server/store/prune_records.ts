import type { NodeSqlite } from "./node_sqlite.ts";

export interface RecordBounds {
  /** Of an organisation: ended sandboxes, and as many revoked tokens. */
  recordsKept: number;
  recordKeptMs: number;
}

export interface Pruned {
  sandboxes: number;
  tokens: number;
}

/** What one step looks for: a kind of record, and the column that says when one was over. */
const SANDBOXES = { table: "sandboxes", over: "stopped_at", ended: "state = 'stopped'" } as const;
const TOKENS = { table: "tokens", over: "revoked_at", ended: "revoked_at IS NOT NULL" } as const;

/**
 * Forgets at most `batch` records of ended sandboxes, and as many revoked tokens, of each
 * organisation: those that ended too long ago, and the oldest beyond the number kept. A record of
 * something that runs is never touched. To be repeated until it finds nothing.
 */
export function pruneRecords(
  database: NodeSqlite,
  { recordsKept, recordKeptMs }: RecordBounds,
  { batch, now }: { batch: number; now: number },
): Pruned {
  const endedBefore = now - recordKeptMs;
  const pruned: Pruned = { sandboxes: 0, tokens: 0 };
  const organizations = database.all("SELECT id FROM organizations", []) as { id: string }[];
  for (const { id: organization } of organizations) {
    const find = ({ table, over, ended }: typeof SANDBOXES | typeof TOKENS) => {
      const rows = `SELECT id FROM ${table} WHERE organization_id = ? AND ${ended}`;
      return database.all(
        `SELECT id FROM (${rows} AND ${over} < ? LIMIT ?)
         UNION SELECT id FROM (${rows} ORDER BY ${over} DESC LIMIT ? OFFSET ?) LIMIT ?`,
        [organization, endedBefore, batch, organization, batch, recordsKept, batch],
      ) as { id: string }[];
    };
    database.transaction(() => {
      for (const { id } of find(SANDBOXES)) {
        database.run("DELETE FROM exposures WHERE sandbox_id = ?", [id]);
        pruned.sandboxes += database.run("DELETE FROM sandboxes WHERE id = ?", [id]);
      }
      for (const { id } of find(TOKENS)) {
        pruned.tokens += database.run("DELETE FROM tokens WHERE id = ?", [id]);
      }
    });
  }
  return pruned;
}

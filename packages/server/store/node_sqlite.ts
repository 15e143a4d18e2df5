import { DatabaseSync, type StatementSync } from "node:sqlite";
import { SqliteDialect } from "kysely";

/** Statements kept ready per connection; queries are few and fixed, label filters vary in number. */
const CACHED_STATEMENTS = 128;

/**
 * `node:sqlite` behind the small interface that kysely's SQLite dialect asks for, and the same
 * connection for callers that must write before they go on (the engine's records).
 */
export class NodeSqlite {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string, busyTimeoutMs: number) {
    this.#database = new DatabaseSync(path);
    // WAL lets `paddock token` read and write beside a running server; FULL makes a record that
    // was acknowledged survive a power cut.
    this.#database.exec(
      `PRAGMA busy_timeout = ${Math.trunc(busyTimeoutMs)};
       PRAGMA journal_mode = WAL;
       PRAGMA synchronous = FULL;
       PRAGMA foreign_keys = ON;`,
    );
  }

  get dialect(): SqliteDialect {
    return new SqliteDialect({ database: { close: () => this.close(), prepare: this.#wrap } });
  }

  /** Rows that this connection ever wrote or deleted; reads no file. */
  get changes(): number {
    const row = this.#prepare("SELECT total_changes() AS changes").get();
    return row!.changes as number;
  }

  run(sql: string, parameters: readonly unknown[]): number {
    return Number(this.#prepare(sql).run(...bind(parameters)).changes);
  }

  all(sql: string, parameters: readonly unknown[]): unknown[] {
    return this.#prepare(sql).all(...bind(parameters));
  }

  /** All of `work` or nothing; `work` must not wait, so nothing else runs on this connection. */
  transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /**
   * What `work` writes is seen at once and outlives this process; a power cut may undo it until something
   * else is written. Nothing written before is at risk, and the order of writes is kept.
   */
  unhurried(work: () => void): void {
    this.#database.exec("PRAGMA synchronous = NORMAL");
    try {
      work();
    } finally {
      this.#database.exec("PRAGMA synchronous = FULL");
    }
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #wrap = (sql: string) => {
    const statement = this.#prepare(sql);
    return {
      reader: statement.columns().length > 0,
      all: (parameters: readonly unknown[]) => statement.all(...bind(parameters)),
      run: (parameters: readonly unknown[]) => statement.run(...bind(parameters)),
      iterate: (parameters: readonly unknown[]) =>
        statement.iterate(...bind(parameters)) as IterableIterator<unknown>,
    };
  };

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      if (this.#statements.size >= CACHED_STATEMENTS) {
        this.#statements.delete(this.#statements.keys().next().value!);
      }
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

type Bindable = null | number | bigint | string | Uint8Array;

function bind(parameters: readonly unknown[]): Bindable[] {
  return parameters.map((value) => {
    if (typeof value === "boolean") return value ? 1 : 0;
    return (value === undefined ? null : value) as Bindable;
  });
}

import { PaddockError } from "@paddock/protocol";
import type { CheckpointStore, StoredCheckpoint } from "./checkpoint_store.ts";
import { refuseCheckpointBeyondBounds } from "./refuse_checkpoint_beyond_bounds.ts";

/** Records that last as long as the process: for tests and one-off tools. */
export function createMemoryCheckpointStore(): CheckpointStore {
  const records = new Map<string, StoredCheckpoint>();
  return {
    insert(record, bounds) {
      const own = [...records.values()]
        .filter(({ organizationId }) => organizationId === record.organizationId);
      if (
        record.name !== null && own.some((it) => it.name === record.name && sameKind(it, record))
      ) {
        throw new PaddockError("CHECKPOINT_NAME_TAKEN", { field: "name" });
      }
      const bytes = own.reduce((sum, it) => sum + it.bytes, 0);
      const paused = record.kind === "paused";
      const count = own.filter(({ kind }) => (kind === "paused") === paused).length;
      refuseCheckpointBeyondBounds(record, { count, bytes }, bounds);
      records.set(record.id, { ...record });
    },
    update(id, patch) {
      const record = records.get(id);
      if (record) Object.assign(record, patch);
    },
    publish(id, bytes, templateName) {
      const record = records.get(id)!;
      const replaced = templateName === undefined
        ? undefined
        : [...records.values()].find((it) => it.name === templateName && sameKind(it, record));
      if (replaced) Object.assign(replaced, { name: null, state: "deleting" });
      Object.assign(record, { state: "ready", bytes, name: templateName ?? record.name });
      return replaced?.id;
    },
    remove: (id) => void records.delete(id),
    get(id) {
      const record = records.get(id);
      return record && { ...record };
    },
    all: () => [...records.values()].map((record) => ({ ...record })),
  };
}

function sameKind(one: StoredCheckpoint, other: StoredCheckpoint): boolean {
  return one.organizationId === other.organizationId && one.kind === other.kind;
}

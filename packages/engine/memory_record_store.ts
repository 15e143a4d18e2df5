import type { RecordStore, SandboxRecord } from "./engine.ts";

/** Records that last as long as the process: for tests and one-off tools. */
export function createMemoryRecordStore(): RecordStore & { all(): SandboxRecord[] } {
  const records = new Map<string, SandboxRecord>();
  const update = (id: string, patch: Partial<SandboxRecord>) => {
    const record = records.get(id);
    if (record) Object.assign(record, patch);
  };
  return {
    insert(record) {
      if (records.has(record.id)) throw new Error(`record ${record.id} exists`);
      records.set(record.id, { ...record });
    },
    update,
    note: update,
    unfinished: () => [...records.values()].filter((record) => record.state !== "stopped"),
    all: () => [...records.values()],
  };
}

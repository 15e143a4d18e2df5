import { PaddockError } from "@paddock/protocol";
import { refuseBeyondBounds } from "./refuse_beyond_bounds.ts";
import type { StoredVolume, VolumeStore } from "./volume_store.ts";

/** Records that last as long as the process: for tests and one-off tools. */
export function createMemoryVolumeStore(): VolumeStore {
  const records = new Map<string, StoredVolume>();
  return {
    insert(record, bounds) {
      const own = [...records.values()]
        .filter(({ organizationId }) => organizationId === record.organizationId);
      if (own.some(({ slug }) => slug === record.slug)) {
        throw new PaddockError("SLUG_TAKEN", { field: "slug" });
      }
      const bytes = own.reduce((sum, { chargedBytes }) => sum + chargedBytes, 0);
      refuseBeyondBounds(record, { count: own.length, bytes }, bounds);
      records.set(record.id, { ...record });
    },
    update(id, patch) {
      const record = records.get(id);
      if (record) Object.assign(record, patch);
    },
    remove: (id) => void records.delete(id),
    get: (id) => structuredClone(records.get(id)),
    all: () => structuredClone([...records.values()]),
  };
}

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryCheckpointStore, type StoredCheckpoint } from "@paddock/engine";
import { openStore } from "./store.ts";

function checkpoint(organizationId: string, more: Partial<StoredCheckpoint>): StoredCheckpoint {
  return {
    kind: more.definition ? "template" : "checkpoint",
    ...{ id: "tpl_ams_00000000000000000001", organizationId, name: null, definition: null },
    ...{ region: "ams", state: "creating", driver: "gvisor", sandboxId: "sbx", labels: {} },
    ...{ memoryBytes: 1, bytes: 5, createdAt: 1_000 },
    ...more,
  };
}

const bounds = {
  ...{ checkpointsPerOrganization: 5, checkpointBytesPerOrganization: 1_000 },
  pausedPerOrganization: 1,
};

Deno.test("a template takes its name from the one before, in one step, once it is whole", async () => {
  const directory = await mkdtemp(join(tmpdir(), "paddock-store-"));
  try {
    let [acme, other] = ["", ""];
    {
      using store = openStore(directory);
      const { checkpoints } = store;
      acme = await store.organizations.ensure("acme");
      other = await store.organizations.ensure("other");
      const template = { definition: "d" };
      checkpoints.insert(checkpoint(acme, { id: "first", ...template }), bounds);
      assert.equal(checkpoints.publish("first", 7, "web"), undefined);
      checkpoints.insert(checkpoint(acme, { id: "second", ...template }), bounds);
      assert.equal(checkpoints.find(acme, "template", "web")?.id, "first");
      // Neither a checkpoint nor another organisation's template has anything to do with it.
      checkpoints.insert(checkpoint(acme, { id: "plain", name: "web" }), bounds);
      checkpoints.publish("plain", 7, undefined);
      checkpoints.insert(checkpoint(other, { id: "theirs", ...template }), bounds);
      assert.equal(checkpoints.publish("theirs", 7, "web"), undefined);
      assert.equal(checkpoints.publish("second", 9, "web"), "first");
    }
    using store = openStore(directory);
    const { checkpoints } = store;
    const now = checkpoints.find(acme, "template", "web");
    assert.deepEqual([now?.id, now?.bytes, now?.state], ["second", 9, "ready"]);
    assert.equal(checkpoints.find(acme, "template", "first"), undefined);
    const first = checkpoints.get("first");
    assert.deepEqual([first?.name, first?.state], [null, "deleting"]);
    assert.equal(checkpoints.find(acme, "checkpoint", "web")?.id, "plain");
    assert.equal(checkpoints.find(acme, "template", "plain"), undefined);
    assert.equal(checkpoints.find(other, "template", "web")?.id, "theirs");
    const listed = (kind: "checkpoint" | "template") =>
      checkpoints.list({ organizationId: acme, kind, limit: 9 })
        .then((records) => records.map(({ id }) => id));
    assert.deepEqual(await listed("template"), ["second"]);
    assert.deepEqual(await listed("checkpoint"), ["plain"]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

Deno.test("records in memory do the same", () => {
  const store = createMemoryCheckpointStore();
  for (const [id, definition] of [["first", "d"], ["second", "e"], ["plain", null]] as const) {
    store.insert(checkpoint("acme", { id, definition }), bounds);
  }
  store.insert(checkpoint("other", { id: "theirs", definition: "d" }), bounds);
  assert.equal(store.publish("first", 7, "web"), undefined);
  assert.equal(store.publish("theirs", 7, "web"), undefined);
  assert.equal(store.publish("plain", 7, undefined), undefined);
  assert.equal(store.publish("second", 9, "web"), "first");
  const state = ({ id, name, state, bytes }: StoredCheckpoint) => [id, name, state, bytes];
  assert.deepEqual(store.all().map(state), [
    ["first", null, "deleting", 7],
    ["second", "web", "ready", 9],
    ["plain", null, "ready", 7],
    ["theirs", "web", "ready", 7],
  ]);
});

Deno.test("paused sandboxes are counted apart, and nobody finds them by name or id", async () => {
  const directory = await mkdtemp(join(tmpdir(), "paddock-store-"));
  try {
    using store = openStore(directory);
    const { checkpoints } = store;
    const acme = await store.organizations.ensure("acme");
    const stores = [checkpoints, createMemoryCheckpointStore()];
    for (const each of stores) {
      each.insert(checkpoint(acme, { id: "psd_1", kind: "paused" }), bounds);
      each.publish("psd_1", 7, undefined);
      assert.throws(
        () => each.insert(checkpoint(acme, { id: "psd_2", kind: "paused" }), bounds),
        { code: "TOO_MANY_CHECKPOINTS", details: { limit: "pausedPerOrganization", max: 1 } },
      );
      for (let i = 0; i < 5; i++) {
        const more = i % 2 ? { definition: "d" } : {};
        each.insert(checkpoint(acme, { id: `chk_${i}`, ...more }), bounds);
      }
      assert.throws(
        () => each.insert(checkpoint(acme, { id: "chk_6" }), bounds),
        { code: "TOO_MANY_CHECKPOINTS" },
      );
    }
    assert.equal(checkpoints.find(acme, "checkpoint", "psd_1"), undefined);
  } finally {
    await rm(directory, { recursive: true });
  }
});

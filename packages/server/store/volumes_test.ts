import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoredVolume } from "@paddock/engine";
import { openStore } from "./store.ts";

function volume(organizationId: string, more: Partial<StoredVolume> = {}): StoredVolume {
  return {
    id: "vol_ord_00000000000000000001",
    kind: "volume",
    organizationId,
    slug: "data",
    region: "ord",
    state: "creating",
    capacityBytes: 64_000_000,
    chargedBytes: 64_000_000,
    sharedBytes: 0,
    format: "host_ext4",
    bootable: true,
    origin: { id: "snp_ord_00000000000000000009", slug: "base" },
    attachedTo: null,
    createdAt: 1_000,
    ...more,
  };
}

const bounds = { volumesPerOrganization: 2, volumeBytesPerOrganization: 100_000_000 };

Deno.test("records of volumes: whole or not there, also after a restart", async () => {
  const directory = await mkdtemp(join(tmpdir(), "paddock-store-"));
  try {
    let organization: string;
    {
      using store = openStore(directory);
      organization = await store.organizations.ensure("acme");
      store.volumes.insert(volume(organization), bounds);
      assert.equal(store.volumes.find(organization, "data"), undefined, "not before it is whole");
      store.volumes.update(volume("").id, { state: "ready", sharedBytes: 5, attachedTo: "sbx" });
    }
    using store = openStore(directory);
    const kept = volume(organization, { state: "ready", sharedBytes: 5, attachedTo: "sbx" });
    assert.deepEqual(store.volumes.all(), [kept]);
    assert.deepEqual(store.volumes.find(organization, "data", "volume"), kept);
    assert.deepEqual(store.volumes.find(organization, kept.id), kept);
    assert.equal(store.volumes.find(organization, "data", "snapshot"), undefined);
    assert.equal(store.volumes.find("other", kept.id), undefined);
    store.volumes.update(kept.id, { state: "deleting", attachedTo: null });
    assert.equal(store.volumes.find(organization, "data"), undefined);
    assert.equal(store.volumes.get(kept.id)?.state, "deleting");
    store.volumes.remove(kept.id);
    assert.deepEqual(store.volumes.all(), []);
  } finally {
    await rm(directory, { recursive: true });
  }
});

Deno.test("slugs and bounds are an organisation's own", async () => {
  const directory = await mkdtemp(join(tmpdir(), "paddock-store-"));
  try {
    using store = openStore(directory);
    const [one, two] = [
      await store.organizations.ensure("one"),
      await store.organizations.ensure("two"),
    ];
    const add = (organization: string, id: string, more: Partial<StoredVolume> = {}) =>
      store.volumes.insert(volume(organization, { id, ...more }), bounds);
    add(one, "vol_a");
    assert.throws(() => add(one, "snp_a", { kind: "snapshot" }), { code: "SLUG_TAKEN" });
    add(two, "vol_b");
    assert.throws(() => add(one, "vol_c", { slug: "large" }), { code: "TOO_MANY_VOLUMES" });
    add(one, "snp_d", { slug: "small", kind: "snapshot", chargedBytes: 1_000 });
    assert.throws(() => add(one, "vol_e", { slug: "third", chargedBytes: 0 }), {
      code: "TOO_MANY_VOLUMES",
    });
    assert.equal(store.volumes.all().length, 3);
  } finally {
    await rm(directory, { recursive: true });
  }
});

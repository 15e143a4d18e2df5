// Volumes and snapshots with our client library, in syntax that Node 20 knows too.
import assert from "node:assert/strict";
import { inspect } from "node:util";
import process from "node:process";
import { ApiError, Client, PaginatedList, Sandbox, Snapshot, Volume } from "@paddock/sandbox";

const mark = process.argv[2];
const client = new Client();
const name = (what) => `${what}-${mark}`;

const volume = await Volume.create({ slug: name("data"), region: "ord", capacity: "100MB" });
assert.deepEqual([volume.slug, volume.capacity, volume.attachedTo], [name("data"), 1e8, null]);
assert.ok(Math.abs(volume.createdAt.getTime() - Date.now()) < 60_000);
assert.match(inspect(volume), /slug: ['"]data-/);
assert.throws(() => new Volume(), TypeError);
await assert.rejects(
  Volume.create({ slug: name("data"), region: "ord", capacity: "100MB" }),
  (error) => error instanceof ApiError && error.code === "SLUG_TAKEN" && error.status === 409,
);

for (const round of ["1", "2"]) {
  const sandbox = await Sandbox.create({ volumes: { "/data": volume } });
  await sandbox.sh(`echo ${round} >> /data/rounds`);
  assert.equal((await Volume.get(volume.id)).attachedTo, sandbox.id);
  await assert.rejects(volume.delete(), { code: "VOLUME_IN_USE" });
  await sandbox.close();
  // What close promises: the next one may have it at once.
  assert.equal((await Volume.get(volume.id)).attachedTo, null);
}

const snapshot = await volume.snapshot({ slug: name("snap") });
assert.ok(snapshot instanceof Snapshot);
assert.deepEqual([snapshot.volume.slug, snapshot.capacity], [name("data"), 1e8]);
assert.ok(snapshot.flattenedSize >= snapshot.allocatedSize);
const copy = await client.volumes.create({
  slug: name("copy"),
  capacity: 1e8,
  from: snapshot.slug,
});
assert.deepEqual([copy.region, copy.baseSnapshot.id], ["ord", snapshot.id]);
const reader = await Sandbox.create({ volumes: { "/copy": copy.slug, "/snap": snapshot } });
assert.equal(await reader.sh("cat /copy/rounds /snap/rounds").text(), "1\n2\n1\n2\n");
await assert.rejects(reader.writeTextFile("/snap/new", ""), { code: "EROFS" });
await reader.kill();

const page = await client.volumes.list({ search: mark, limit: 1 });
assert.ok(page instanceof PaginatedList);
assert.deepEqual([page.items.length, page.hasMore], [1, true]);
const all = [];
for await (const item of page) all.push(item.slug);
assert.deepEqual(all, [name("copy"), name("data")]);
assert.deepEqual((await client.snapshots.list({ search: mark })).items.map((it) => it.id), [
  snapshot.id,
]);

await client.snapshots.delete(snapshot.slug);
assert.equal(await Snapshot.get(snapshot.id), null);
assert.equal((await client.volumes.get(copy.id)).baseSnapshot, null);
await client.volumes.delete(copy.id);
await volume.delete();
assert.equal(await client.volumes.get(volume.slug), null);
console.log("ok");

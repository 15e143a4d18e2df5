// Volumes and snapshots as clients 0.10 and 0.13 offer them, on Deno and on Node: prints one JSON line
// per check. `storage_test.ts` runs and judges it.
import assert from "node:assert/strict";
import process from "node:process";
import * as client from "@deno/sandbox";

/** What a check that failed has left open. */
const open = new Set();

async function create(options) {
  const sandbox = await client.Sandbox.create(options);
  open.add(sandbox);
  sandbox.closed.then(() => open.delete(sandbox), () => open.delete(sandbox));
  return sandbox;
}

/** Runs one check and reports it; a failure does not stop the others. */
async function check(name, body) {
  const detail = await body().then(() => undefined, (error) => String(error?.stack ?? error));
  for (const sandbox of open) await sandbox.kill().catch(() => {});
  open.clear();
  console.log(`@@${JSON.stringify({ name, ok: detail === undefined, detail })}`);
}

async function volumes() {
  const { ApiError, Client, ConnectionEstablishmentError, Snapshot, Volume } = client;
  const api = new Client();
  const mark = crypto.randomUUID().slice(0, 8);
  const slug = (name) => `${name}-${mark}`;
  const refused = (status, code) => (error) => {
    assert.ok(error instanceof ApiError, String(error?.stack));
    assert.deepEqual([error.status, error.code], [status, code], error.message);
    assert.ok(error.traceId, "the response has a trace id");
    return true;
  };
  let volume;

  await check("volumes: create, get by id and slug", async () => {
    volume = await api.volumes.create({ slug: slug("data"), region: "ord", capacity: "100MB" });
    assert.deepEqual([volume.slug, volume.region, volume.capacity], [slug("data"), "ord", 1e8]);
    assert.deepEqual([volume.isBootable, volume.baseSnapshot], [false, null]);
    assert.ok(volume.estimatedAllocatedSize > 0);
    assert.ok(volume.estimatedFlattenedSize >= volume.estimatedAllocatedSize);
    for (const found of [await api.volumes.get(volume.id), await Volume.get(slug("data"))]) {
      assert.ok(found instanceof Volume);
      assert.deepEqual([found.id, found.capacity], [volume.id, volume.capacity]);
    }
    assert.equal(await api.volumes.get("no-such-volume"), null);
    const options = { slug: slug("mine"), region: "ord", capacity: 67108864 };
    const token = process.env.DENO_DEPLOY_TOKEN;
    const made = await Volume.create({
      ...options,
      token,
      apiEndpoint: process.env.DENO_DEPLOY_ENDPOINT,
    });
    assert.equal(made.capacity, 67108864);
    await api.volumes.delete(made.id);
    assert.equal(await api.volumes.get(made.id), null);
  });
  await check("volumes: list with search and pages", async () => {
    const more = await Promise.all(
      ["one", "two", "three"].map((name) =>
        api.volumes.create({ slug: slug(`list-${name}`), region: "ord", capacity: "64MiB" })
      ),
    );
    const page = await api.volumes.list({ search: "list-", limit: 2 });
    assert.equal(page.items.length, 2);
    assert.equal(page.hasMore, true);
    const found = [];
    for await (const item of await api.volumes.list({ search: mark, limit: 2 })) {
      assert.ok(item instanceof Volume);
      found.push(item.slug);
    }
    assert.deepEqual(found.sort(), ["data", "list-one", "list-three", "list-two"].map(slug));
    await Promise.all(more.map(({ id }) => api.volumes.delete(id)));
    assert.deepEqual((await api.volumes.list({ search: slug("list-one") })).items, []);
  });
  await check("volumes: what is wrong is refused by name", async () => {
    const init = { slug: slug("bad"), region: "ord", capacity: "100MB" };
    await assert.rejects(
      api.volumes.create({ ...init, slug: "-" }),
      refused(400, "INVALID_REQUEST"),
    );
    await assert.rejects(
      api.volumes.create({ ...init, capacity: "1kB" }),
      refused(400, "INVALID_REQUEST"),
    );
    await assert.rejects(
      api.volumes.create({ ...init, slug: slug("data") }),
      refused(409, "SLUG_TAKEN"),
    );
    await assert.rejects(
      api.volumes.create({ ...init, from: "no-such-snapshot" }),
      refused(404, "VOLUME_NOT_FOUND"),
    );
    await assert.rejects(api.volumes.delete("no-such-volume"), refused(404, "VOLUME_NOT_FOUND"));
    await assert.rejects(create({ root: slug("data") }), (error) => {
      assert.ok(error instanceof ConnectionEstablishmentError, String(error));
      assert.equal(error.code, "VOLUME_NOT_BOOTABLE");
      return true;
    });
  });
  await check("volumes: what a session wrote is there once close has returned", async () => {
    for (const round of ["1", "2", "3"]) {
      const sandbox = await create({ volumes: { "/data/volume1": volume.id } });
      assert.match(sandbox.id, /^sbx_ord_/, "it is where its volume is");
      await sandbox.sh`echo ${round} >> /data/volume1/rounds`;
      if (round === "1") {
        const second = create({ volumes: { "/data": slug("data") } });
        await assert.rejects(second, (error) => {
          assert.equal(error.status, 409);
          assert.match(error.message, new RegExp(sandbox.id));
          return true;
        });
        await assert.rejects(api.volumes.delete(volume.id), refused(409, "VOLUME_IN_USE"));
        const early = api.volumes.snapshot(volume.id, { slug: slug("early") });
        await assert.rejects(early, refused(409, "VOLUME_IN_USE"));
      }
      await sandbox.close();
    }
    const reader = await create({ volumes: { "/elsewhere": slug("data") } });
    assert.equal(await reader.fs.readTextFile("/elsewhere/rounds"), "1\n2\n3\n");
    await reader.kill();
  });
  await check("snapshots: of a volume, and volumes from them", async () => {
    const snapshot = await api.volumes.snapshot(volume.id, { slug: slug("snap") });
    assert.ok(snapshot instanceof Snapshot);
    assert.deepEqual(snapshot.volume, { id: volume.id, slug: slug("data") });
    assert.deepEqual([snapshot.region, snapshot.isBootable], ["ord", false]);
    assert.ok(snapshot.flattenedSize >= snapshot.allocatedSize);
    assert.equal((await Snapshot.get(slug("snap"))).id, snapshot.id);
    assert.equal((await api.snapshots.get(snapshot.id)).slug, slug("snap"));
    assert.equal(await api.snapshots.get("no-such-snapshot"), null);
    const listed = await api.snapshots.list({ search: mark });
    assert.deepEqual(listed.items.map((item) => item.id), [snapshot.id]);
    const copy = await api.volumes.create({
      ...{ slug: slug("copy"), region: "ord", capacity: "150MB", from: slug("snap") },
    });
    assert.deepEqual(copy.baseSnapshot, { id: snapshot.id, slug: slug("snap") });
    const sandbox = await create({ volumes: { "/a": copy.id, "/b": volume.id } });
    await sandbox.sh`echo copy > /a/rounds`;
    assert.equal(await sandbox.sh`cat /a/rounds /b/rounds`.text(), "copy\n1\n2\n3\n");
    await sandbox.close();
    await api.snapshots.delete(snapshot.id);
    assert.equal(await api.snapshots.get(snapshot.id), null);
    await api.volumes.delete(copy.id);
    await api.volumes.delete(volume.id);
  });
  await check(
    "root: a volume that keeps what was installed, and a snapshot that does not",
    async () => {
      const init = {
        slug: slug("root"),
        region: "ord",
        capacity: "1500MB",
        from: "builtin:debian-13",
      };
      const root = await api.volumes.create(init);
      assert.equal(root.isBootable, true);
      const first = await create({ root: root.slug });
      await first.fs.writeTextFile("tool", "#!/bin/sh\necho installed\n", { mode: 0o755 });
      await first.sh`mv tool /usr/local/bin/tool`.sudo();
      await first.close();
      const second = await create({ root: root.id });
      assert.equal(await second.sh`tool`.text(), "installed\n");
      assert.equal(await second.deno.eval("1 + 1"), 2);
      await second.close();
      const snapshot = await api.volumes.snapshot(root.id, { slug: slug("system") });
      const sandboxes = await Promise.all(
        [1, 2].map(() => create({ root: slug("system") })),
      );
      for (const sandbox of sandboxes) {
        assert.equal(await sandbox.sh`tool`.text(), "installed\n");
        await sandbox.sh`rm /usr/local/bin/tool`.sudo();
      }
      await Promise.all(sandboxes.map((sandbox) => sandbox.close()));
      await api.snapshots.delete(snapshot.id);
      await api.volumes.delete(root.id);
    },
  );
}

await volumes();
console.log(`@@${JSON.stringify({ end: true })}`);

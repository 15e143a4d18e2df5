import assert from "node:assert/strict";
import { snapshotSchema, volumeSchema } from "@paddock/protocol";
import { ask } from "../testing/ask.ts";
import { serveStandIn } from "../testing/serve_stand_in.ts";

const init = { slug: "my-volume", region: "ord", capacity: "1GB" };

Deno.test("volumes and snapshots: made, found by id and slug, listed, deleted", async () => {
  await using server = await serveStandIn();
  const made = await ask(server, "POST", "/api/v2/volumes", init);
  assert.equal(made.status, 201);
  const volume = volumeSchema.parse(made.body);
  assert.match(volume.id, /^vol_ord_[0-9a-z]{20}$/);
  assert.deepEqual(
    [volume.slug, volume.region, volume.capacity, volume.is_bootable, volume.base_snapshot],
    ["my-volume", "ord", 1_000_000_000, false, null],
  );
  assert.deepEqual([volume.estimated_allocated_size, volume.estimated_flattened_size], [
    1024,
    4096,
  ]);
  for (const key of [volume.id, "my-volume"]) {
    assert.deepEqual((await ask(server, "GET", `/api/v2/volumes/${key}`)).body, volume);
  }
  const snapped = await ask(server, "POST", "/api/v2/volumes/my-volume/snapshot", { slug: "snap" });
  assert.equal(snapped.status, 201);
  const snapshot = snapshotSchema.parse(snapped.body);
  assert.match(snapshot.id, /^snp_ord_/);
  assert.deepEqual(snapshot.volume, { id: volume.id, slug: "my-volume" });
  assert.deepEqual((await ask(server, "GET", "/api/v2/snapshots/snap")).body, snapshot);
  // Each is of its kind, whatever the name.
  assert.equal((await ask(server, "GET", "/api/v2/volumes/snap")).status, 404);
  assert.equal((await ask(server, "GET", `/api/v2/snapshots/${volume.id}`)).status, 404);
  const copy = await ask(server, "POST", "/api/v2/volumes", {
    ...{ slug: "copy", capacity: 1_000_000_000, from: "snap" },
  });
  // Where its snapshot is, when nobody says.
  assert.deepEqual(
    [copy.body.base_snapshot, copy.body.region],
    [{ id: snapshot.id, slug: "snap" }, "ord"],
  );
  assert.deepEqual((await ask(server, "DELETE", "/api/v2/snapshots/snap")).body, {
    id: snapshot.id,
    slug: "snap",
  });
  assert.equal((await ask(server, "GET", "/api/v2/volumes/copy")).body.base_snapshot, null);
  assert.deepEqual((await ask(server, "GET", "/api/v2/snapshots")).body, []);
  assert.equal((await ask(server, "DELETE", `/api/v2/volumes/${volume.id}`)).status, 200);
  assert.equal((await ask(server, "DELETE", `/api/v2/volumes/${volume.id}`)).status, 404);
});

Deno.test("listing volumes: search, pages by an absolute link, newest first", async () => {
  await using server = await serveStandIn();
  for (const slug of ["cache-1", "cache-2", "cache-3", "database"]) {
    assert.equal((await ask(server, "POST", "/api/v2/volumes", { ...init, slug })).status, 201);
  }
  const slugs = async (path: string) => {
    const { body, headers } = await ask(server, "GET", path);
    return { slugs: body.map((item: { slug: string }) => item.slug), link: headers.get("link") };
  };
  const first = await slugs("/api/v2/volumes?search=CACHE&limit=2");
  assert.deepEqual(first.slugs, ["cache-3", "cache-2"]);
  const next = new URL(/^<([^>]+)>; rel="next"$/.exec(first.link!)![1]);
  assert.equal(next.origin, server.url);
  const second = await slugs(next.pathname + next.search);
  assert.deepEqual(second, { slugs: ["cache-1"], link: null });
  assert.deepEqual((await slugs("/api/v2/volumes?search=%25")).slugs, []);
  for (
    const query of ["limit=0", "limit=x", "limit=5000", "cursor=1", "search=" + "x".repeat(65)]
  ) {
    const { status, body } = await ask(server, "GET", `/api/v2/volumes?${query}`);
    assert.deepEqual([status, body.field], [400, query.split("=")[0]], query);
  }
});

Deno.test("what is wrong with a volume is named, and unknown fields are refused", async () => {
  await using server = await serveStandIn();
  server.engine.volumes.bounds = { volumesPerOrganization: 2, volumeBytesPerOrganization: 2e9 };
  const cases: [unknown, number, string, string?][] = [
    [{ ...init, slug: "-x" }, 400, "INVALID_REQUEST", "slug"],
    [{ ...init, slug: "a" }, 400, "INVALID_REQUEST", "slug"],
    [{ ...init, slug: "ab--cd" }, 400, "INVALID_REQUEST", "slug"],
    [{ ...init, capacity: "1TB" }, 400, "INVALID_REQUEST", "capacity"],
    [{ ...init, capacity: "10GB " }, 400, "INVALID_REQUEST", "capacity"],
    [{ ...init, capacity: 1 }, 400, "INVALID_REQUEST", "capacity"],
    [{ ...init, capacity: "900GB" }, 400, "INVALID_REQUEST", "capacity"],
    [{ ...init, capacity: -1e9 }, 400, "INVALID_REQUEST", "capacity"],
    [{ ...init, capacity: null }, 400, "INVALID_REQUEST", "capacity"],
    [{ ...init, capacity: "500MB", from: "builtin:debian-13" }, 400, "INVALID_REQUEST", "capacity"],
    [{ ...init, from: "builtin:debian-12" }, 404, "VOLUME_NOT_FOUND", "from"],
    [{ ...init, from: "nothing" }, 404, "VOLUME_NOT_FOUND", "from"],
    [{ ...init, region: "mars" }, 400, "UNKNOWN_REGION", "region"],
    [{ ...init, size: 1 }, 400, "INVALID_REQUEST", "size"],
    [{}, 400, "INVALID_REQUEST", "slug"],
    [[], 400, "INVALID_REQUEST"],
  ];
  for (const [body, status, code, field] of cases) {
    const answer = await ask(server, "POST", "/api/v2/volumes", body);
    assert.deepEqual(
      [answer.status, answer.body.code, answer.body.field],
      [status, code, field],
      JSON.stringify(body),
    );
  }
  // `Volume.create` and `Snapshot.create` of published clients send who they are along.
  const sent = { ...init, token: "ddo_x", org: "o", apiEndpoint: "http://127.0.0.1" };
  assert.equal((await ask(server, "POST", "/api/v2/volumes", sent)).status, 201);
  assert.equal((await ask(server, "POST", "/api/v2/volumes", init)).body.code, "SLUG_TAKEN");
  const snap = (slug: string) =>
    ask(server, "POST", "/api/v2/volumes/my-volume/snapshot", { slug, token: "t" });
  assert.equal((await snap("my-volume")).body.code, "SLUG_TAKEN");
  assert.equal((await snap("snap")).status, 201);
  const beyond = await snap("more");
  assert.deepEqual([beyond.status, beyond.body.code], [429, "TOO_MANY_VOLUMES"]);
  assert.equal((await ask(server, "DELETE", "/api/v2/snapshots/snap")).status, 200);
  const large = { ...init, slug: "large", capacity: "2GB" };
  assert.match(
    (await ask(server, "POST", "/api/v2/volumes", large)).body.message,
    /bytes together/,
  );
});

Deno.test("an organisation sees and touches its own volumes alone", async () => {
  await using server = await serveStandIn();
  const { body: volume } = await ask(server, "POST", "/api/v2/volumes", init);
  await ask(server, "POST", "/api/v2/volumes/my-volume/snapshot", { slug: "snap" });
  const other = server.otherToken;
  const missing = await ask(server, "GET", "/api/v2/volumes/never-was", undefined, other);
  const attempts: [string, string, unknown?][] = [
    ["GET", `/api/v2/volumes/${volume.id}`],
    ["GET", "/api/v2/volumes/my-volume"],
    ["DELETE", `/api/v2/volumes/${volume.id}`],
    ["POST", `/api/v2/volumes/${volume.id}/snapshot`, { slug: "x1" }],
    ["GET", "/api/v2/snapshots/snap"],
    ["DELETE", "/api/v2/snapshots/snap"],
    ["POST", "/api/v2/volumes", { ...init, slug: "x2", from: "snap" }],
    ["POST", "/api/v3/sandboxes", { volumes: [{ volume: volume.id, path: "/data" }] }],
    ["POST", "/api/v3/sandboxes", { root: { volume: "snap" } }],
  ];
  for (const [method, path, body] of attempts) {
    const answer = await ask(server, method, path, body, other);
    assert.deepEqual([answer.status, answer.body.code], [404, "VOLUME_NOT_FOUND"], path);
    if (path.startsWith("/api/v2/volumes/") && method === "GET") {
      assert.equal(answer.body.message, missing.body.message);
    }
  }
  for (const path of ["/api/v2/volumes", "/api/v2/snapshots"]) {
    assert.deepEqual((await ask(server, "GET", path, undefined, other)).body, []);
    assert.equal((await ask(server, "GET", path)).body.length, 1);
  }
  // The name is the other organisation's to give, too.
  assert.equal((await ask(server, "POST", "/api/v2/volumes", init, other)).status, 201);
});

Deno.test("a sandbox is where its volumes are, and nowhere else", async () => {
  await using server = await serveStandIn();
  const { body: volume } = await ask(server, "POST", "/api/v2/volumes", init);
  const { body: boot } = await ask(server, "POST", "/api/v2/volumes", {
    ...{ ...init, slug: "boot", capacity: "2GB", from: "builtin:debian-13" },
  });
  assert.equal(boot.is_bootable, true);
  const config = { root: { volume: "boot" }, volumes: [{ volume: "my-volume", path: "/data" }] };
  const { status, body } = await ask(server, "POST", "/api/v3/sandboxes", config);
  assert.deepEqual([status, body.region], [201, "ord"]);
  assert.equal(server.engine.lastSpec?.root, boot.id);
  assert.deepEqual(server.engine.lastSpec?.volumes, [{ volumeId: volume.id, path: "/data" }]);
  const elsewhere = await ask(server, "POST", "/api/v3/sandboxes", { ...config, region: "ams" });
  assert.deepEqual([elsewhere.status, elsewhere.body.field], [400, "region"]);
  await ask(server, "POST", "/api/v2/volumes", { ...init, slug: "far", region: "ams" });
  const both = [...config.volumes, { volume: "far", path: "/far" }];
  const torn = await ask(server, "POST", "/api/v3/sandboxes", { volumes: both });
  assert.deepEqual([torn.status, torn.body.field], [400, "volumes"]);
});

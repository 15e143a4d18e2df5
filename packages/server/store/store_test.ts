import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { SandboxRecord } from "@paddock/engine";
import { openStore } from "./store.ts";

async function dataDirectory(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "paddock-store-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

function record(organizationId: string, more: Partial<SandboxRecord> = {}): SandboxRecord {
  return {
    id: "sbx_ams_00000000000000000001",
    organizationId,
    alias: null,
    parent: null,
    template: null,
    region: "ams",
    driver: "gvisor",
    state: "creating",
    labels: {},
    memoryBytes: 512 * 1024 * 1024,
    createdAt: 1_000,
    stopAt: null,
    stoppedAt: null,
    endReason: null,
    pauseAfterIdleMs: null,
    paused: null,
    ...more,
  };
}

Deno.test("records survive closing and opening again", async () => {
  await using directory = await dataDirectory();
  let organization: string;
  {
    using store = openStore(directory.path);
    organization = await store.organizations.ensure("acme");
    store.records.insert(record(organization, { labels: { "ü.$[0]": "✓" }, stopAt: 5 }));
    store.records.update("sbx_ams_00000000000000000001", { state: "running", stopAt: null });
  }
  using store = openStore(directory.path);
  assert.deepEqual(store.records.unfinished(), [
    record(organization, { labels: { "ü.$[0]": "✓" }, state: "running" }),
  ]);
  store.records.update("sbx_ams_00000000000000000001", {
    state: "stopped",
    stoppedAt: 9,
    endReason: "timeout",
  });
  assert.deepEqual(store.records.unfinished(), []);
  const found = await store.sandboxes.find(organization, "sbx_ams_00000000000000000001");
  assert.deepEqual([found?.stoppedAt, found?.endReason], [9, "timeout"]);
});

Deno.test("the database is readable by its owner alone", async () => {
  await using directory = await dataDirectory();
  using _store = openStore(directory.path);
  assert.equal((await stat(join(directory.path, "paddock.db"))).mode & 0o777, 0o600);
  using _new = openStore(join(directory.path, "new"));
  assert.equal((await stat(join(directory.path, "new"))).mode & 0o777, 0o700);
});

Deno.test("an alias is unique in its organisation and found by it alone", async () => {
  await using directory = await dataDirectory();
  using store = openStore(directory.path);
  const [one, two] = [
    await store.organizations.ensure("one"),
    await store.organizations.ensure("two"),
  ];
  const id = (n: number) => `sbx_ams_0000000000000000000${n}`;
  store.records.insert(record(one, { id: id(1), alias: "a" }));
  store.records.insert(record(two, { id: id(2), alias: "a" }));
  assert.throws(() => store.records.insert(record(one, { id: id(3), alias: "a" })), /UNIQUE/);
  assert.equal((await store.sandboxes.find(one, "a"))?.id, id(1));
  assert.equal((await store.sandboxes.find(two, "a"))?.id, id(2));
  assert.equal(await store.sandboxes.find(two, id(1)), undefined);
});

Deno.test("a token is verified by its hash until it is revoked", async () => {
  await using directory = await dataDirectory();
  using store = openStore(directory.path);
  await store.organizations.ensure("acme");
  const { token, info } = await store.tokens.create("acme", "laptop");
  assert.match(token, /^ddo_[0-9A-Za-z]{40}$/);
  const bytes = new TextDecoder("latin1").decode(
    await Deno.readFile(join(directory.path, "paddock.db")),
  ) + new TextDecoder("latin1").decode(
    await Deno.readFile(join(directory.path, "paddock.db-wal")),
  );
  assert.ok(bytes.includes("laptop") && !bytes.includes(token.slice(4)));

  assert.equal((await store.tokens.list())[0].lastUsedAt, null);
  const identity = await store.tokens.verify(token);
  assert.deepEqual([identity?.organization, identity?.tokenId], ["acme", info.id]);
  assert.ok((await store.tokens.list("acme"))[0].lastUsedAt !== null);
  assert.deepEqual(await store.tokens.list("nobody"), []);

  assert.equal(await store.tokens.revoke(info.id), true);
  assert.equal(await store.tokens.revoke(info.id), false);
  assert.equal(await store.tokens.verify(token), undefined);
});

Deno.test("a token is verified even when its use cannot be written down", async () => {
  await using directory = await dataDirectory();
  using store = openStore(directory.path);
  await store.organizations.ensure("acme");
  const { token } = await store.tokens.create("acme", "laptop");
  using database = new DatabaseSync(join(directory.path, "paddock.db"));
  database.exec(
    "CREATE TRIGGER full BEFORE UPDATE ON tokens BEGIN SELECT RAISE(ABORT, 'disk full'); END",
  );
  assert.equal((await store.tokens.verify(token))?.organization, "acme");
  assert.equal((await store.tokens.list())[0].lastUsedAt, null);
});

Deno.test("replacing a token revokes those of its name and no other", async () => {
  await using directory = await dataDirectory();
  using store = openStore(directory.path);
  await store.organizations.ensure("acme");
  const kept = await store.tokens.create("acme", "laptop");
  const first = await store.tokens.replace("acme", "serve");
  const second = await store.tokens.replace("acme", "serve");
  assert.equal(await store.tokens.verify(first.token), undefined);
  assert.ok(await store.tokens.verify(second.token));
  assert.ok(await store.tokens.verify(kept.token));
});

Deno.test("tokens of unknown organisations and strange names are refused", async () => {
  await using directory = await dataDirectory();
  using store = openStore(directory.path);
  await store.organizations.ensure("acme");
  await assert.rejects(store.tokens.create("nobody", "x"), /there is no organisation "nobody"/);
  await assert.rejects(store.tokens.create("acme", "a\nb"), /a token's name/);
  for (const name of ["", "Acme", "a/b", "-a", "x".repeat(41)]) {
    await assert.rejects(store.organizations.ensure(name), /is not an organisation's name/);
  }
});

Deno.test("a second process may write beside the server", async () => {
  await using directory = await dataDirectory();
  using server = openStore(directory.path);
  await server.organizations.ensure("acme");
  using other = openStore(directory.path);
  const { token } = await other.tokens.create("acme", "made elsewhere");
  assert.ok(await server.tokens.verify(token));
});

Deno.test("records of a newer Paddock are left alone", async () => {
  await using directory = await dataDirectory();
  openStore(directory.path).close();
  const database = new DatabaseSync(join(directory.path, "paddock.db"));
  database.exec("PRAGMA user_version = 999");
  database.close();
  assert.throws(() => openStore(directory.path), /written by a newer Paddock \(schema 999/);
});

Deno.test("what ended long ago is forgotten, batch by batch, and what runs is kept", async () => {
  await using directory = await dataDirectory();
  using store = openStore(directory.path);
  const acme = await store.organizations.ensure("acme");
  const other = await store.organizations.ensure("other");
  let made = 0;
  const add = (organizationId: string, more: Partial<SandboxRecord>) => {
    const id = `sbx_ams_${String(++made).padStart(20, "0")}`;
    store.records.insert(record(organizationId, { id, ...more }));
    return id;
  };
  const end = (at: number) => ({ state: "stopped" as const, stoppedAt: at, endReason: null });
  const running = add(acme, { state: "running" });
  const stopping = add(acme, { state: "stopping" });
  const old = [1, 2, 3, 4, 5].map((at) => add(acme, end(at)));
  const recent = [101, 102, 103, 104].map((at) => add(acme, end(at)));
  const others = add(other, end(101));
  store.exposures.insert({
    ...{ name: "gone", kind: "http", sandboxId: old[0], organizationId: acme },
    ...{ access: "public", accessHash: null, createdAt: 1 },
  }, { exposuresPerSandbox: 1, exposuresKept: 10, exposureKeptMs: 10 });
  const { info, token } = await store.tokens.create("acme", "revoked");
  await store.tokens.revoke(info.id);
  const live = await store.tokens.create("acme", "live");

  const bounds = { recordsKept: 3, recordKeptMs: 100 };
  const left = async (organizationId: string) =>
    (await store.sandboxes.list({ organizationId, labels: {}, status: "all" }))
      .map(({ id }) => id).sort();
  assert.deepEqual(store.prune(bounds, 2, 200), { sandboxes: 2, tokens: 0 });
  assert.equal((await left(acme)).length, 9);
  assert.deepEqual(store.prune(bounds, 100, 200), { sandboxes: 4, tokens: 0 });
  assert.deepEqual(await left(acme), [running, stopping, ...recent.slice(1)].sort());
  assert.deepEqual(await left(other), [others]);
  assert.equal(store.exposures.find("gone"), undefined);
  assert.deepEqual(store.prune(bounds, 100, 200), { sandboxes: 0, tokens: 0 });

  const later = Date.now() + 1_000;
  assert.deepEqual(store.prune(bounds, 100, later), { sandboxes: 4, tokens: 1 });
  assert.deepEqual(await left(acme), [running, stopping]);
  assert.equal(await store.tokens.verify(token), undefined);
  assert.ok(await store.tokens.verify(live.token));
  assert.deepEqual((await store.tokens.list("acme")).map(({ name }) => name), ["live"]);
});

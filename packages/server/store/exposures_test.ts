import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Exposure } from "@paddock/gateway";
import { hashOfUsername } from "./exposures.ts";
import { openStore, type Store } from "./store.ts";

const bounds = { exposuresPerSandbox: 3, exposuresKept: 100, exposureKeptMs: 1_000 };

async function dataDirectory(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "paddock-exposures-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

let made = 0;
function addSandbox(store: Store, organizationId: string): string {
  const id = `sbx_ams_${String(++made).padStart(20, "0")}`;
  store.records.insert({
    ...{
      id,
      organizationId,
      alias: null,
      parent: null,
      template: null,
      region: "ams",
      driver: "gvisor",
      state: "running",
    },
    ...{
      labels: {},
      memoryBytes: 1,
      createdAt: 1,
      stopAt: null,
      stoppedAt: null,
      endReason: null,
      pauseAfterIdleMs: null,
      paused: null,
    },
  });
  return id;
}

function end(store: Store, id: string, stoppedAt: number): void {
  store.records.update(id, { state: "stopped", stoppedAt, endReason: "killed" });
}

function exposure(sandboxId: string, organizationId: string, more: Partial<Exposure>): Exposure {
  return {
    ...{ name: "shop", kind: "http", sandboxId, organizationId },
    ...{ access: "public", accessHash: null, createdAt: 5 },
    ...more,
  };
}

Deno.test("what was given is found by its name alone, also after a restart and its end", async () => {
  await using directory = await dataDirectory();
  let http: Exposure;
  let ssh: Exposure;
  {
    using store = openStore(directory.path);
    const acme = await store.organizations.ensure("acme");
    const id = addSandbox(store, acme);
    http = exposure(id, acme, { access: "protected", accessHash: "ab".repeat(32) });
    ssh = exposure(id, acme, { name: hashOfUsername("ssh_someone"), kind: "ssh", createdAt: 6 });
    store.exposures.insert(http, bounds);
    store.exposures.insert(ssh, bounds);
    end(store, id, 9);
  }
  using store = openStore(directory.path);
  assert.deepEqual(store.exposures.find("shop"), http);
  assert.deepEqual(store.exposures.findSsh("ssh_someone"), ssh);
  assert.equal(store.exposures.find("SHOP"), undefined);
  assert.equal(store.exposures.find(ssh.name), undefined, "SSH is no preview URL");
  assert.equal(store.exposures.findSsh("shop"), undefined, "and the other way round");
  assert.equal(store.exposures.findSsh(ssh.name), undefined, "the hash is not the user name");
  assert.deepEqual(store.exposures.list(http.sandboxId), [http, ssh]);
});

Deno.test("a name is one sandbox's; only its organisation takes it over, after the end", async () => {
  await using directory = await dataDirectory();
  using store = openStore(directory.path);
  const [acme, other] = [
    await store.organizations.ensure("acme"),
    await store.organizations.ensure("other"),
  ];
  const [first, second] = [addSandbox(store, acme), addSandbox(store, acme)];
  const foreign = addSandbox(store, other);
  const give = (id: string, organization: string) =>
    store.exposures.insert(exposure(id, organization, {}), bounds);
  give(first, acme);
  assert.throws(() => give(second, acme), { code: "NAME_TAKEN" });
  assert.throws(() => give(foreign, other), { code: "NAME_TAKEN" });
  end(store, first, Date.now());
  assert.throws(() => give(foreign, other), { code: "NAME_TAKEN" });
  assert.equal(store.exposures.find("shop")?.sandboxId, first, "a refusal changes nothing");
  give(second, acme);
  assert.equal(store.exposures.find("shop")?.sandboxId, second);
  assert.deepEqual(store.exposures.list(first), []);
});

Deno.test("a sandbox has so many; a refused one costs the old name nothing", async () => {
  await using directory = await dataDirectory();
  using store = openStore(directory.path);
  const acme = await store.organizations.ensure("acme");
  const [ended, id] = [addSandbox(store, acme), addSandbox(store, acme)];
  store.exposures.insert(exposure(ended, acme, {}), bounds);
  end(store, ended, Date.now());
  for (const name of ["a", "b", "c"]) {
    store.exposures.insert(exposure(id, acme, { name }), bounds);
  }
  assert.throws(() => store.exposures.insert(exposure(id, acme, { name: "d" }), bounds), {
    code: "TOO_MANY_EXPOSURES",
  });
  assert.throws(() => store.exposures.insert(exposure(id, acme, {}), bounds), {
    code: "TOO_MANY_EXPOSURES",
  });
  assert.equal(store.exposures.find("shop")?.sandboxId, ended);
  store.exposures.insert(exposure(id, acme, { name: "b", access: "protected" }), bounds);
  assert.equal(store.exposures.find("b")?.access, "protected", "its own name counts once");
  assert.equal(store.exposures.remove(id, "a"), true);
  assert.equal(store.exposures.remove(id, "a"), false);
  assert.equal(store.exposures.remove(ended, "b"), false, "another's name stays");
  store.exposures.insert(exposure(id, acme, { name: "d" }), bounds);
});

Deno.test("names of what ended long ago, and the oldest beyond the count, are forgotten", async () => {
  await using directory = await dataDirectory();
  using store = openStore(directory.path);
  const acme = await store.organizations.ensure("acme");
  const give = (id: string, name: string, createdAt: number) =>
    store.exposures.insert(exposure(id, acme, { name, createdAt }), bounds);
  const running = addSandbox(store, acme);
  give(running, "runs", 1);
  const old = addSandbox(store, acme);
  give(old, "old", 2);
  end(store, old, 8_999);
  const recent = addSandbox(store, acme);
  for (const [index, name] of ["first", "second", "third"].entries()) {
    give(recent, name, 10 + index);
  }
  end(store, recent, 9_500);
  assert.equal(store.exposures.prune(bounds, 10_000), 1);
  assert.equal(store.exposures.find("old"), undefined);
  assert.equal(store.exposures.prune({ ...bounds, exposuresKept: 2 }, 10_000), 1);
  assert.deepEqual(store.exposures.list(recent).map(({ name }) => name), ["second", "third"]);
  assert.equal(store.exposures.prune(bounds, 100_000), 2);
  assert.equal(store.exposures.find("runs")?.sandboxId, running);
});

Deno.test("what is remembered of a name goes with any change to it, whoever makes it", async () => {
  await using directory = await dataDirectory();
  using store = openStore(directory.path);
  const acme = await store.organizations.ensure("acme");
  const first = addSandbox(store, acme);
  const second = addSandbox(store, acme);
  const { exposures } = store;
  exposures.insert(exposure(first, acme, {}), bounds);
  for (let turn = 0; turn < 3; turn++) assert.equal(exposures.find("shop")?.sandboxId, first);
  end(store, first, 9);
  exposures.insert(exposure(second, acme, {}), bounds);
  assert.equal(exposures.find("shop")?.sandboxId, second, "it moved");
  assert.throws(
    () => exposures.insert(exposure(first, "somebody-else", {}), bounds),
    { code: "NAME_TAKEN" },
  );
  assert.equal(exposures.find("shop")?.sandboxId, second);
  exposures.remove(second, "shop");
  assert.equal(exposures.find("shop"), undefined, "it was withdrawn");
  exposures.insert(exposure(second, acme, {}), bounds);
  assert.equal(exposures.find("shop")?.sandboxId, second, "absence is not remembered");
  end(store, second, 9);
  assert.ok(exposures.find("shop"));
  exposures.prune(bounds, 1_000_000);
  assert.equal(exposures.find("shop"), undefined, "it was forgotten");
});

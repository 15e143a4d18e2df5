import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { serveStandIn, standInGateway, type StandInServer } from "../testing/serve_stand_in.ts";

// The names alone: what a visitor gets at them is tested with the real gateway, in tests/e2e.

async function create(server: StandInServer, token = server.token): Promise<string> {
  const body = JSON.stringify({ timeout: "10m" });
  const response = await server.fetch("/api/v3/sandboxes", { method: "POST", body, token });
  assert.equal(response.status, 201);
  return (await response.json()).id;
}

async function post(server: StandInServer, path: string, body: unknown = {}, token?: string) {
  const init = { method: "POST", body: JSON.stringify(body), token: token ?? server.token };
  const response = await server.fetch(path, init);
  return { status: response.status, body: await response.json() };
}

Deno.test("published clients get a random domain for http and vscode, and an SSH user", async () => {
  await using server = await serveStandIn();
  const id = await create(server);
  const domains = new Set<string>();
  for (const kind of ["http", "vscode", "http"]) {
    const { status, body } = await post(server, `/api/v3/sandbox/${id}/expose/${kind}`);
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body), ["domain"]);
    assert.match(body.domain, /^[0-9a-hjkmnp-tv-z]{26}\.preview\.test:4443$/);
    domains.add(body.domain);
    const exposure = server.store.exposures.find(body.domain.split(".")[0])!;
    assert.deepEqual([exposure.kind, exposure.sandboxId, exposure.access], [kind, id, "public"]);
  }
  assert.equal(domains.size, 3);
  const ssh = await post(server, `/api/v3/sandbox/${id}/expose/ssh`);
  assert.equal(ssh.body.hostname, "preview.test:4222");
  assert.match(ssh.body.username, /^ssh_[0-9a-hjkmnp-tv-z]{26}$/);
  assert.equal(server.store.exposures.findSsh(ssh.body.username)?.sandboxId, id);
  assert.equal(server.store.exposures.find(ssh.body.username), undefined);
  const stored = JSON.stringify(server.store.exposures.list(id));
  assert.ok(!stored.includes(ssh.body.username), "only its hash is kept");
});

Deno.test("client 0.2 names the sandbox in the body", async () => {
  await using server = await serveStandIn();
  const sandbox_id = await create(server);
  const http = await post(server, "/api/v2/sandbox/expose/http", { sandbox_id });
  assert.deepEqual([http.status, Object.keys(http.body)], [200, ["domain"]]);
  const ssh = await post(server, "/api/v2/sandbox/expose/ssh", { sandbox_id });
  assert.deepEqual(Object.keys(ssh.body).sort(), ["host_key", "hostname", "name", "username"]);
  for (const body of [{}, { sandbox_id: 1 }, { sandbox_id, more: 1 }, [], "x"]) {
    const refused = await post(server, "/api/v2/sandbox/expose/http", body);
    assert.deepEqual([refused.status, refused.body.code], [400, "INVALID_REQUEST"]);
  }
});

Deno.test("a chosen name is checked, unique, and its owner's own to move", async () => {
  await using server = await serveStandIn();
  const [id, second] = [await create(server), await create(server)];
  const foreign = await create(server, server.otherToken);
  const expose = (sandbox: string, body: unknown, token?: string) =>
    post(server, `/api/v3/sandbox/${sandbox}/expose/http`, body, token);
  const first = await expose(id, { name: "shop" });
  assert.equal(first.body.domain, "shop.preview.test:4443");
  assert.equal((await expose(id, { name: "shop" })).status, 200, "again for the same sandbox");
  const taken = await expose(second, { name: "shop" });
  assert.deepEqual([taken.status, taken.body.code, taken.body.field], [409, "NAME_TAKEN", "name"]);
  await server.fetch(`/api/v3/sandbox/${id}`, { method: "DELETE" });
  const others = await expose(foreign, { name: "shop" }, server.otherToken);
  assert.equal(others.status, 409, "an ended sandbox's name is not for other organisations");
  assert.equal((await expose(second, { name: "shop" })).status, 200);
  assert.equal(server.store.exposures.find("shop")?.sandboxId, second);
  const wrong = ["Shop", "a", "ab", "-shop", "shop-", "1shop", "a.b", "a_b", "xn--shop", "www"];
  wrong.push("a".repeat(41), "a".repeat(26), "", "ſhop");
  for (const name of wrong) {
    const { status, body } = await expose(second, { name });
    assert.deepEqual([status, body.code, body.field], [400, "INVALID_REQUEST", "name"], name);
  }
  for (const more of [{ access: "secret" }, { acess: "public" }, { name: 1 }]) {
    assert.equal((await expose(second, more)).status, 400, JSON.stringify(more));
  }
});

Deno.test("a protected address has a token that is told once, and links", async () => {
  await using server = await serveStandIn({ linkMaxMs: 60_000 });
  const [id, other] = [await create(server), await create(server)];
  const path = `/api/v3/sandbox/${id}/expose/http`;
  const { body: { domain, token } } = await post(server, path, { access: "protected" });
  assert.ok(token.length >= 43);
  const exposure = server.store.exposures.find(domain.split(".")[0])!;
  assert.equal(exposure.accessHash, createHash("sha256").update(token).digest("hex"));
  const before = Date.now();
  const link = await post(server, `${path}/link`, { domain, expires_in: 60 });
  assert.equal(link.status, 200);
  const expires = Date.parse(link.body.expires_at);
  assert.ok(expires >= before + 60_000 && expires <= Date.now() + 60_000);
  assert.equal(link.body.url, standInGateway.previews.signLink(exposure, expires));
  const open = (await post(server, path)).body.domain;
  const refusals: [string, unknown, number, string][] = [
    [id, { domain, expires_in: 61 }, 400, "INVALID_REQUEST"],
    [id, { domain, expires_in: 0 }, 400, "INVALID_REQUEST"],
    [id, { domain: open, expires_in: 9 }, 400, "INVALID_REQUEST"],
    [id, { domain: "elsewhere.example.com", expires_in: 9 }, 404, "EXPOSURE_NOT_FOUND"],
    [other, { domain, expires_in: 9 }, 404, "EXPOSURE_NOT_FOUND"],
  ];
  for (const [sandbox, body, status, code] of refusals) {
    const got = await post(server, `/api/v3/sandbox/${sandbox}/expose/http/link`, body);
    assert.deepEqual([got.status, got.body.code], [status, code], JSON.stringify(body));
  }
});

Deno.test("names are listed and withdrawn, after the sandbox's end too", async () => {
  await using server = await serveStandIn();
  const id = await create(server);
  await post(server, `/api/v3/sandbox/${id}/expose/http`, { name: "shop" });
  await post(server, `/api/v3/sandbox/${id}/expose/ssh`);
  await server.fetch(`/api/v3/sandbox/${id}`, { method: "DELETE" });
  const list = await (await server.fetch(`/api/v3/sandbox/${id}/exposures`)).json();
  assert.deepEqual(
    list.map(({ kind, url, access }: Record<string, unknown>) => [kind, url, access]),
    [["http", "https://shop.preview.test:4443", "public"], ["ssh", null, "public"]],
  );
  const gone = (name: string) =>
    server.fetch(`/api/v3/sandbox/${id}/exposures/${name}`, { method: "DELETE" });
  for (const { name } of list) assert.equal((await gone(name)).status, 200);
  const again = await gone("shop");
  assert.deepEqual([again.status, (await again.json()).code], [404, "EXPOSURE_NOT_FOUND"]);
  assert.equal(server.store.exposures.find("shop"), undefined);
});

Deno.test("another organisation can neither give, list, link nor withdraw", async () => {
  await using server = await serveStandIn();
  const id = await create(server);
  await post(server, `/api/v3/sandbox/${id}/expose/http`, { name: "shop" });
  const base = `/api/v3/sandbox/${id}`;
  const attempts: [string, string, unknown?][] = [
    ["POST", `${base}/expose/http`, {}],
    ["POST", `${base}/expose/ssh`, {}],
    ["POST", `${base}/expose/vscode`, {}],
    ["POST", `${base}/expose/http/link`, { domain: "shop.preview.test:4443", expires_in: 9 }],
    ["GET", `${base}/exposures`],
    ["DELETE", `${base}/exposures/shop`],
    ["POST", "/api/v2/sandbox/expose/http", { sandbox_id: id }],
  ];
  for (const [method, path, body] of attempts) {
    const init = { method, token: server.otherToken, body: body && JSON.stringify(body) };
    const response = await server.fetch(path, init as RequestInit & { token: string });
    const { code } = await response.json();
    assert.deepEqual([response.status, code], [404, "SANDBOX_NOT_FOUND"], `${method} ${path}`);
  }
  assert.equal(server.store.exposures.list(id).length, 1);
});

Deno.test("a sandbox has a bounded number of names, and one that ended gets none", async () => {
  await using server = await serveStandIn({ exposuresPerSandbox: 2 });
  const id = await create(server);
  await post(server, `/api/v3/sandbox/${id}/expose/http`);
  await post(server, `/api/v3/sandbox/${id}/expose/ssh`);
  const full = await post(server, `/api/v3/sandbox/${id}/expose/http`);
  assert.deepEqual([full.status, full.body.code], [429, "TOO_MANY_EXPOSURES"]);
  assert.match(full.body.message, /limits\.exposuresPerSandbox/);
  await server.fetch(`/api/v3/sandbox/${id}`, { method: "DELETE" });
  assert.equal((await post(server, `/api/v3/sandbox/${id}/expose/http`)).status, 410);
});

Deno.test("VS Code's files are made ready first; what is switched off says so", async () => {
  const prepared: string[] = [];
  const prepareVscode = () => {
    prepared.push("now");
    return Promise.resolve();
  };
  await using server = await serveStandIn({}, { gateway: standInGateway, prepareVscode });
  const path = `/api/v3/sandbox/${await create(server)}/expose`;
  await post(server, `${path}/http`);
  assert.equal(prepared.length, 0);
  assert.equal((await post(server, `${path}/vscode`)).status, 200);
  assert.equal(prepared.length, 1);
  await using off = await serveStandIn({}, {});
  const id = await create(off);
  for (const kind of ["http", "ssh", "vscode"]) {
    const { status, body } = await post(off, `/api/v3/sandbox/${id}/expose/${kind}`);
    assert.deepEqual([status, body.code], [501, "SWITCHED_OFF"], kind);
  }
});

import assert from "node:assert/strict";
import { SANDBOX_ID_PATTERN } from "@paddock/protocol";
import { refuseCreation } from "../testing/stand_in_engine.ts";
import { serveStandIn, type StandInServer } from "../testing/serve_stand_in.ts";

async function create(server: StandInServer, config: unknown = {}, token?: string) {
  const response = await server.fetch("/api/v3/sandboxes", {
    method: "POST",
    body: JSON.stringify(config),
    token,
  });
  const body = await response.json();
  assert.equal(response.status, 201, JSON.stringify(body));
  return body as { id: string; region: string; stopAt: string | null; memoryMb: number };
}

async function refusal(response: Response) {
  assert.match(response.headers.get("x-deno-trace-id") ?? "", /^[0-9a-f]{32}$/);
  assert.equal(response.headers.get("content-type"), "application/json");
  const { code, field, message, traceId } = await response.json();
  assert.equal(traceId, response.headers.get("x-deno-trace-id"));
  return { status: response.status, code, field, message };
}

Deno.test("health, version and openapi.json need no token", async () => {
  await using server = await serveStandIn();
  const health = await server.fetch("/health", { token: null });
  assert.equal(health.status, 200);
  assert.equal((await health.json()).ok, true);
  const version = await (await server.fetch("/version", { token: null })).json();
  assert.deepEqual(version.api, ["v2", "v3"]);
  const document = await (await server.fetch("/openapi.json", { token: null })).json();
  assert.equal(document.openapi, "3.1.0");
  const creation = document.paths["/api/v3/sandboxes"].post;
  const fields = creation.requestBody.content["application/json"].schema.properties;
  assert.ok("memory_mb" in fields && "labels" in fields);
  assert.ok(document.paths["/api/v3/sandbox/{id}"].delete);
});

Deno.test("who has no good token gets 401, and learns nothing else", async (test) => {
  await using server = await serveStandIn();
  const { id } = await create(server);
  const revoked = await server.store.tokens.create("default", "gone");
  await server.store.tokens.revoke(revoked.info.id);
  const wrong = {
    "ddo_wrong": "INVALID_TOKEN",
    [server.token + "x"]: "INVALID_TOKEN",
    [server.token.slice(0, -1)]: "INVALID_TOKEN",
    [server.token.toLowerCase()]: "INVALID_TOKEN",
    [revoked.token]: "INVALID_TOKEN",
    [`ddo_${"x".repeat(10_000)}`]: "INVALID_TOKEN",
  };
  const paths = [`/api/v3/sandbox/${id}`, "/api/v2/sandboxes", "/api/v3/sandbox/sbx_x"];
  for (const path of paths) {
    await test.step(path, async () => {
      for (const [token, code] of Object.entries(wrong)) {
        const got = await refusal(await server.fetch(path, { token }));
        assert.deepEqual([got.status, got.code], [401, code], token);
      }
      const none = await refusal(await server.fetch(path, { token: null }));
      assert.deepEqual([none.status, none.code], [401, "INVALID_TOKEN"]);
      const basic = await refusal(
        await server.fetch(path, { token: null, headers: { authorization: "Basic YTpi" } }),
      );
      assert.deepEqual([basic.status, basic.code], [401, "INVALID_TOKEN"]);
    });
  }
});

Deno.test("X-Deno-Org must be the token's organisation", async () => {
  await using server = await serveStandIn();
  const of = (organization: string) =>
    server.fetch("/api/v2/sandboxes", { headers: { "x-deno-org": organization } });
  assert.equal((await of("default")).status, 200);
  const existing = await refusal(await of("other"));
  const missing = await refusal(await of("nobody"));
  assert.deepEqual(existing, missing);
  assert.deepEqual([existing.status, existing.code], [403, "FORBIDDEN"]);
});

Deno.test("one organisation never sees another's sandboxes", async (test) => {
  await using server = await serveStandIn();
  const { id } = await create(server, { timeout: "5m" });
  const unknown = "sbx_ams_00000000000000000000";
  const patch = { method: "PATCH", body: JSON.stringify({ timeout: "5m" }) };
  const cases: [string, (id: string) => string, RequestInit?][] = [
    ["show", (id) => `/api/v3/sandbox/${id}`],
    ["extend", (id) => `/api/v3/sandbox/${id}`, patch],
    ["kill", (id) => `/api/v3/sandbox/${id}`, { method: "DELETE" }],
    ["kill, v2", (id) => `/api/v2/sandbox/${id}`, { method: "DELETE" }],
    ["logs", (id) => `/api/v3/sandbox/${id}/logs`],
    ["expose", (id) => `/api/v3/sandbox/${id}/expose/http`, { method: "POST" }],
  ];
  for (const [name, path, init] of cases) {
    await test.step(name, async () => {
      const ask = async (id: string) =>
        await refusal(await server.fetch(path(id), { ...init, token: server.otherToken }));
      const theirs = await ask(id);
      assert.deepEqual(theirs, await ask(unknown));
      assert.deepEqual([theirs.status, theirs.code], [404, "SANDBOX_NOT_FOUND"]);
    });
  }
  await test.step("logs, once it has ended", async () => {
    const ended = await create(server, { timeout: "5m" });
    server.engine.endedLogs.set(ended.id, "why it crashed\n");
    await server.fetch(`/api/v3/sandbox/${ended.id}`, { method: "DELETE" });
    const path = `/api/v3/sandbox/${ended.id}/logs`;
    const theirs = await refusal(await server.fetch(path, { token: server.otherToken }));
    assert.deepEqual([theirs.status, theirs.code], [404, "SANDBOX_NOT_FOUND"]);
    assert.equal(await (await server.fetch(path)).text(), "why it crashed\n");
    server.engine.endedLogs.clear();
    const old = await refusal(await server.fetch(path));
    assert.deepEqual([old.status, old.code], [410, "SANDBOX_STOPPED"]);
  });
  const listed = await server.fetch("/api/v2/sandboxes?status=all", { token: server.otherToken });
  assert.deepEqual(await listed.json(), []);
  assert.equal((await server.fetch(`/api/v3/sandbox/${id}`)).status, 200, "its owner still has it");
});

Deno.test("what is wrong in a configuration is named", async (test) => {
  await using server = await serveStandIn();
  const labels = (n: number) =>
    Object.fromEntries(Array.from({ length: n }, (_, index) => [`k${index}`, "v"]));
  const bad: [unknown, number, string, string | undefined][] = [
    [[], 400, "INVALID_CONFIG", undefined],
    [{ memory: 512 }, 400, "INVALID_CONFIG", "memory"],
    [{ memory_mb: 64 }, 400, "INVALID_CONFIG", "memory_mb"],
    [{ memory_mb: 1 << 20 }, 400, "INVALID_CONFIG", "memory_mb"],
    [{ memory_mb: "512" }, 400, "INVALID_CONFIG", "memory_mb"],
    [{ labels: labels(17) }, 400, "INVALID_CONFIG", "labels"],
    [{ labels: { a: 1 } }, 400, "INVALID_CONFIG", "labels.a"],
    [{ labels: { a: "x".repeat(257) } }, 400, "INVALID_CONFIG", "labels.a"],
    [{ timeout: "soon" }, 400, "INVALID_CONFIG", "timeout"],
    [{ timeout: "25h" }, 400, "TIMEOUT_TOO_LONG", "timeout"],
    [{ stop_at_ms: Date.now() - 1 }, 400, "INVALID_CONFIG", "stop_at_ms"],
    [{ stop_at_ms: Date.now() + 1e12 }, 400, "TIMEOUT_TOO_LONG", "stop_at_ms"],
    [{ region: "mars" }, 400, "UNKNOWN_REGION", "region"],
    [{ root: { volume: "v" } }, 404, "VOLUME_NOT_FOUND", "root"],
    [{ volumes: [{ volume: "v", path: "/v" }] }, 404, "VOLUME_NOT_FOUND", "volumes"],
    [{ volumes: [{ volume: "v", path: "/v/.." }] }, 400, "INVALID_CONFIG", "volumes.0.path"],
    [
      { volumes: [{ volume: "v", path: "/v", readOnly: true }] },
      400,
      "INVALID_CONFIG",
      "volumes.0.readOnly",
    ],
    [{ allow_net: ["example.com"] }, 501, "NOT_SUPPORTED_YET", "allow_net"],
    [{ allow_net: [] }, 501, "NOT_SUPPORTED_YET", "allow_net"],
    [{ secrets: { A: { hosts: ["x"], value: "v" } } }, 501, "NOT_SUPPORTED_YET", "secrets"],
  ];
  for (const [config, status, code, field] of bad) {
    await test.step(JSON.stringify(config).slice(0, 60), async () => {
      const body = JSON.stringify(config);
      const got = await refusal(await server.fetch("/api/v3/sandboxes", { method: "POST", body }));
      assert.deepEqual([got.status, got.code, got.field], [status, code, field], got.message);
    });
  }
  const unknown = await refusal(
    await server.fetch("/api/v3/sandboxes", { method: "POST", body: `{"region":"mars"}` }),
  );
  assert.match(unknown.message, /ams or eu-west-1, ord or us-east-2/);
  for (const body of ["{", "\xff", "nul"]) {
    const got = await refusal(await server.fetch("/api/v3/sandboxes", { method: "POST", body }));
    assert.deepEqual([got.status, got.code], [400, "INVALID_REQUEST"]);
  }
  const huge = JSON.stringify({ labels: { a: "x".repeat(2 << 20) } });
  const got = await refusal(
    await server.fetch("/api/v3/sandboxes", { method: "POST", body: huge }),
  );
  assert.deepEqual([got.status, got.code], [413, "BODY_TOO_LARGE"]);
  assert.deepEqual(server.engine.list(), [], "nothing was created");
});

Deno.test("a region is the configuration's or the default", async () => {
  await using server = await serveStandIn();
  assert.equal((await create(server)).region, "ams");
  assert.equal((await create(server, { region: "us-east-2" })).region, "ord");
  const { id } = await create(server, { region: "ord" });
  assert.match(id, /^sbx_ord_/);
  assert.match(id, SANDBOX_ID_PATTERN);
});

Deno.test("a sandbox is shown, extended, killed, and then said to be gone", async () => {
  await using server = await serveStandIn();
  const { id } = await create(server, { timeout: "5m", labels: { a: "1" }, memory_mb: 256 });
  const shown = await (await server.fetch(`/api/v3/sandbox/${id}`)).json();
  assert.deepEqual(
    [shown.id, shown.sandboxId, shown.status, shown.labels, shown.memoryMb, shown.driver],
    [id, id, "running", { a: "1" }, 256, "gvisor"],
  );
  const patch = async (body: unknown) =>
    await server.fetch(`/api/v3/sandbox/${id}`, { method: "PATCH", body: JSON.stringify(body) });
  const stopAt = Date.now() + 600_000;
  assert.deepEqual(await (await patch({ stop_at_ms: stopAt })).json(), { stop_at_ms: stopAt });
  const bad: [unknown, string, string | undefined][] = [
    [{ stop_at_ms: 5 }, "INVALID_CONFIG", "stop_at_ms"],
    [{ stop_at_ms: Date.now() + 3_600_000 }, "TIMEOUT_TOO_LONG", "stop_at_ms"],
    [{ timeout: "31m" }, "TIMEOUT_TOO_LONG", "timeout"],
    [{ timeout: "session" }, "INVALID_CONFIG", "timeout"],
    [{ stop_at_ms: "later" }, "INVALID_CONFIG", "stop_at_ms"],
  ];
  for (const [body, code, field] of bad) {
    const got = await refusal(await patch(body));
    assert.deepEqual([got.status, got.code, got.field], [400, code, field], got.message);
  }
  for (const version of ["v3", "v2"]) {
    const killed = await server.fetch(`/api/${version}/sandbox/${id}`, { method: "DELETE" });
    assert.equal(killed.status, 200);
    const { status, endReason } = await killed.json();
    assert.deepEqual([status, endReason], ["stopped", "killed"]);
  }
  const after = await refusal(await patch({ timeout: "5m" }));
  assert.deepEqual([after.status, after.code], [410, "SANDBOX_STOPPED"]);
  assert.match(after.message, /it was killed/);
});

Deno.test("listing filters by label and status, and pages", async () => {
  await using server = await serveStandIn();
  const list = async (query: string) => {
    const response = await server.fetch(`/api/v2/sandboxes${query}`);
    const items: { id: string }[] = await response.json();
    assert.equal(response.status, 200, JSON.stringify(items));
    return { ids: items.map(({ id }) => id), link: response.headers.get("link") };
  };
  const key = `we"ird.$key[`;
  const a = (await create(server, { timeout: "5m", labels: { env: "prod", [key]: "1" } })).id;
  const b = (await create(server, { timeout: "5m", labels: { env: "prod" } })).id;
  const c = (await create(server, { timeout: "5m", labels: { env: "test" } })).id;
  await server.fetch(`/api/v3/sandbox/${b}`, { method: "DELETE" });
  assert.deepEqual(new Set((await list("")).ids), new Set([a, c]));
  assert.deepEqual((await list("?status=stopped")).ids, [b]);
  assert.deepEqual((await list("?labels[env]=prod")).ids, [a]);
  assert.deepEqual((await list("?env=prod")).ids, [a]);
  assert.deepEqual((await list("?env=prod&env2=x")).ids, []);
  assert.deepEqual((await list(`?${encodeURIComponent(key)}=1`)).ids, [a]);
  assert.deepEqual((await list(`?labels[${encodeURIComponent(key)}]=1&status=all`)).ids, [a]);
  assert.deepEqual((await list("?env='%20or%201=1")).ids, []);

  const seen: string[] = [];
  let query = "?status=all&limit=2";
  for (let pages = 0; pages < 2; pages++) {
    const { ids, link } = await list(query);
    seen.push(...ids);
    const next = /^<\/api\/v2\/sandboxes(.*)>; rel="next"$/.exec(link ?? "")?.[1];
    assert.equal(next === undefined, pages === 1);
    query = next ?? "";
  }
  assert.deepEqual(new Set(seen), new Set([a, b, c]));
  for (
    const [bad, field] of [["limit=0", "limit"], ["cursor=x", "cursor"], ["status=x", "status"]]
  ) {
    const got = await refusal(await server.fetch(`/api/v2/sandboxes?${bad}`));
    assert.deepEqual([got.status, got.field], [400, field]);
  }
});

Deno.test("a session sandbox made over HTTP ends when nobody connects in time", async () => {
  await using server = await serveStandIn({ sessionGraceMs: 100 });
  const { id } = await create(server);
  const sandbox = server.engine.get(id)!;
  assert.equal(await sandbox.ended, "session_closed");
});

Deno.test("an organisation's sandboxes are counted, those being created too", async () => {
  await using server = await serveStandIn({ sandboxesPerOrganization: 2, createsInFlight: 1 });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.engine.creation = promise;
  const both = [create(server), create(server)];
  while (server.engine.list().length === 0) await new Promise((again) => setTimeout(again, 5));
  await new Promise((settled) => setTimeout(settled, 50));
  const got = await refusal(
    await server.fetch("/api/v3/sandboxes", { method: "POST", body: "{}" }),
  );
  assert.deepEqual([got.status, got.code], [429, "TOO_MANY_SANDBOXES"]);
  resolve();
  await Promise.all(both);
  assert.equal(server.engine.mostCreating, 1, "createsInFlight holds");
  await create(server, {}, server.otherToken);
});

Deno.test("a full host and an inner failure are told apart, and the cause stays in the log", async () => {
  await using server = await serveStandIn();
  server.engine.creation = refuseCreation("CAPACITY_EXHAUSTED");
  const post = () => server.fetch("/api/v3/sandboxes", { method: "POST", body: "{}" });
  const full = await refusal(await post());
  assert.deepEqual([full.status, full.code], [503, "CAPACITY_EXHAUSTED"]);
  const secret = Promise.reject(new Error("at /secret/path"));
  secret.catch(() => {});
  server.engine.creation = secret;
  const response = await post();
  const text = await response.text();
  assert.equal(response.status, 500);
  assert.ok(!text.includes("secret"), text);
  const line = server.lines.find((line) => line.level === "error")!;
  assert.ok(JSON.stringify(line).includes("/secret/path"));
  assert.equal(line.traceId, response.headers.get("x-deno-trace-id"));
});

Deno.test("addresses and methods that do not exist are told apart", async () => {
  await using server = await serveStandIn();
  const cases: [string, string, number, string][] = [
    ["GET", "/", 404, "ROUTE_NOT_FOUND"],
    ["GET", "/api/v3/sandbox/a/b/c", 404, "ROUTE_NOT_FOUND"],
    ["GET", "/api/v3/sandboxes/create", 426, "UPGRADE_REQUIRED"],
    ["GET", "/api/v2/sandbox/ws", 426, "UPGRADE_REQUIRED"],
    ["PUT", "/health", 405, "METHOD_NOT_ALLOWED"],
    ["GET", "/api/v2/apps", 501, "NOT_SUPPORTED_YET"],
    ["POST", "/api/v2/layers", 501, "NOT_SUPPORTED_YET"],
    ["PATCH", "/api/v2/volumes/x", 405, "METHOD_NOT_ALLOWED"],
    ["POST", "/api/v2/sandboxes/x/deploy", 501, "NOT_SUPPORTED_YET"],
  ];
  for (const [method, path, status, code] of cases) {
    const got = await refusal(await server.fetch(path, { method }));
    assert.deepEqual([got.status, got.code], [status, code], `${method} ${path}`);
  }
});

Deno.test("the log names who did what and never holds a token or a variable's value", async () => {
  await using server = await serveStandIn();
  await create(server, { env: { KEY: "value-nobody-may-read" } });
  await server.fetch("/api/v2/sandboxes", { token: "ddo_wrong-token" });
  const text = JSON.stringify(server.lines);
  for (const secret of [server.token, "ddo_wrong-token", "value-nobody-may-read"]) {
    assert.ok(!text.includes(secret), secret);
  }
  assert.ok(server.lines.some((line) => line.message === "request" && line.status === 401));
});

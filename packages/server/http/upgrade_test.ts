import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { SANDBOX_ID_PATTERN } from "@paddock/protocol";
import WebSocket from "ws";
import { serveStandIn, type StandInServer } from "../testing/serve_stand_in.ts";

const CREATE = "/api/v3/sandboxes/create";

function configHeader(config: unknown): Record<string, string> {
  return { "x-deno-sandbox-config": btoa(JSON.stringify(config)) };
}

interface Opened {
  socket: WebSocket;
  headers: Record<string, string | string[] | undefined>;
}

/** Opens a WebSocket as the published clients do, or throws the refusal. */
async function open(
  server: StandInServer,
  path: string,
  headers: Record<string, string> = {},
  protocols: string[] = [],
): Promise<Opened> {
  const socket = new WebSocket(server.url.replace("http", "ws") + path, protocols, {
    headers: { authorization: `Bearer ${server.token}`, ...headers },
    perMessageDeflate: false,
  });
  const opened = Promise.withResolvers<Opened>();
  let answered: Opened["headers"] = {};
  socket.on("upgrade", (response) => answered = response.headers);
  socket.on("open", () => opened.resolve({ socket, headers: answered }));
  socket.on("error", (error) => opened.reject(error));
  socket.on("unexpected-response", async (_request, response) => {
    const chunks: Uint8Array[] = [];
    response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    await once(response, "end");
    const body = JSON.parse(Buffer.concat(chunks).toString());
    assert.equal(body.traceId, response.headers["x-deno-trace-id"]);
    opened.reject(Object.assign(new Error(body.message), { ...body, status: response.statusCode }));
    socket.terminate();
  });
  return await opened.promise;
}

async function refused(opening: Promise<Opened>) {
  try {
    const { socket } = await opening;
    socket.terminate();
  } catch (error) {
    const { status, code, field, message } = error as Record<string, unknown>;
    return { status, code, field, message };
  }
  throw new Error("the connection was accepted");
}

async function echo({ socket }: Opened, text: string): Promise<string> {
  socket.send(text);
  const [data] = await once(socket, "message", { signal: AbortSignal.timeout(10_000) });
  return String(data);
}

async function closed(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = await once(socket, "close", { signal: AbortSignal.timeout(10_000) });
  return { code, reason: String(reason) };
}

async function until(what: string, condition: () => boolean, ms = 5_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `not within ${ms} ms: ${what}`);
    await new Promise((again) => setTimeout(again, 5));
  }
}

Deno.test("a v3 client creates a sandbox with its connection, which is the session", async () => {
  await using server = await serveStandIn();
  const opened = await open(server, CREATE, configHeader({ memory_mb: 1280, volumes: [] }));
  const id = String(opened.headers["x-deno-sandbox-id"]);
  assert.match(id, SANDBOX_ID_PATTERN);
  assert.match(String(opened.headers["x-deno-trace-id"]), /^[0-9a-f]{32}$/);
  assert.equal(opened.headers["sec-websocket-extensions"], undefined);
  assert.equal(await echo(opened, "hello"), "hello");
  assert.equal(server.engine.agent.upgrades[0]["x-paddock-encoding"], "v3");
  const { ended } = server.engine.get(id)!;
  opened.socket.close();
  assert.deepEqual(await closed(opened.socket), { code: 1005, reason: "" });
  assert.equal(await ended, "session_closed");
});

Deno.test("a second connection keeps a session alive; the last one to go ends it", async () => {
  await using server = await serveStandIn();
  const first = await open(server, CREATE);
  const id = String(first.headers["x-deno-sandbox-id"]);
  const sandbox = server.engine.get(id)!;
  const second = await open(server, `/api/v3/sandbox/${id}/connect`);
  assert.equal(second.headers["x-deno-sandbox-id"], id);
  first.socket.terminate();
  await new Promise((settled) => setTimeout(settled, 100));
  assert.equal(await echo(second, "still here"), "still here");
  second.socket.terminate();
  assert.equal(await sandbox.ended, "session_closed");
});

Deno.test("a sandbox with a duration outlives its connections", async () => {
  await using server = await serveStandIn();
  const first = await open(server, CREATE, configHeader({ stop_at_ms: Date.now() + 60_000 }));
  const id = String(first.headers["x-deno-sandbox-id"]);
  first.socket.close();
  await closed(first.socket);
  const second = await open(server, `/api/v3/sandbox/${id}/connect`);
  assert.equal(await echo(second, "again"), "again");
  second.socket.terminate();
});

Deno.test("the first connection ends the grace of a sandbox made over HTTP", async () => {
  await using server = await serveStandIn({ sessionGraceMs: 60_000 });
  const made = await server.fetch("/api/v3/sandboxes", { method: "POST", body: "{}" });
  const { id } = await made.json();
  const { ended } = server.engine.get(id)!;
  const opened = await open(server, `/api/v3/sandbox/${id}/connect`);
  opened.socket.terminate();
  assert.equal(await ended, "session_closed");
});

Deno.test("of two that ask for one name at the same time, one gets it", async () => {
  await using server = await serveStandIn({ createsInFlight: 1 });
  const before = Promise.withResolvers<void>();
  server.engine.creation = before.promise;
  const first = server.fetch("/api/v3/sandboxes", { method: "POST", body: "{}" });
  const header = {
    "x-denodeploy-config-v2": JSON.stringify({ sandbox_id: crypto.randomUUID(), mode: "create" }),
  };
  const both = [1, 2].map(() => open(server, "/api/v2/sandbox/ws", header));
  const settled = Promise.allSettled(both);
  // Both have looked for the name by then, and wait for the creation before theirs.
  await new Promise((resolve) => setTimeout(resolve, 200));
  before.resolve();
  assert.equal((await first).status, 201);
  const outcomes = (await settled).map(({ status }) => status).sort();
  assert.deepEqual(outcomes, ["fulfilled", "rejected"]);
  const loser = await Promise.any(both.map((opening) => refused(opening)));
  assert.deepEqual([loser.status, loser.code], [409, "SANDBOX_ALREADY_EXISTS"]);
});

Deno.test("a v2 client names its sandbox, and either name finds it", async () => {
  await using server = await serveStandIn();
  const uuid = crypto.randomUUID();
  const header = (mode: string, sandbox_id: string, more = {}) => ({
    "x-denodeploy-config-v2": JSON.stringify({ sandbox_id, mode, ...more }),
  });
  const path = "/api/v2/sandbox/ws";
  const stop_at_ms = Date.now() + 60_000;
  const opened = await open(server, path, header("create", uuid, { stop_at_ms, memory_mb: 256 }));
  const id = String(opened.headers["x-deno-sandbox-id"]);
  assert.equal(server.engine.agent.upgrades[0]["x-paddock-encoding"], "v2");
  for (const name of [uuid, id]) {
    const again = await open(server, path, header("connect", name));
    assert.equal(again.headers["x-deno-sandbox-id"], id);
    again.socket.terminate();
  }
  const listed = await (await server.fetch("/api/v2/sandboxes")).json();
  assert.deepEqual([listed[0].id, listed[0].sandboxId], [id, uuid]);
  const twice = await refused(open(server, path, header("create", uuid)));
  assert.deepEqual([twice.status, twice.code], [409, "SANDBOX_ALREADY_EXISTS"]);
  const authorization = `Bearer ${server.otherToken}`;
  const theirs = await refused(open(server, path, { ...header("connect", uuid), authorization }));
  assert.deepEqual([theirs.status, theirs.code], [404, "SANDBOX_NOT_FOUND"]);
  // The name is free in another organisation.
  const other = await open(server, path, { ...header("create", uuid), authorization });
  other.socket.terminate();
  const close = closed(opened.socket);
  assert.equal((await server.fetch(`/api/v2/sandbox/${uuid}`, { method: "DELETE" })).status, 200);
  assert.equal((await close).code, 1000);
});

Deno.test("an upgrade that cannot be is refused in JSON before it", async (test) => {
  await using server = await serveStandIn();
  const gone = await server.fetch("/api/v3/sandboxes", { method: "POST", body: "{}" });
  const { id } = await gone.json();
  await server.fetch(`/api/v3/sandbox/${id}`, { method: "DELETE" });
  const v2 = (text: string) => ({ "x-denodeploy-config-v2": text });
  const bad: [string, Record<string, string>, number, string, string?][] = [
    [CREATE, { authorization: "Bearer ddo_wrong" }, 401, "INVALID_TOKEN"],
    [CREATE, { authorization: "" }, 401, "INVALID_TOKEN"],
    [CREATE, { "x-deno-org": "other" }, 403, "FORBIDDEN", "x-deno-org"],
    [CREATE, { "x-deno-sandbox-config": "%%%" }, 400, "INVALID_CONFIG", "x-deno-sandbox-config"],
    [CREATE, { "x-deno-sandbox-config": btoa("{") }, 400, "INVALID_CONFIG"],
    [CREATE, configHeader({ memory_mb: 1 }), 400, "INVALID_CONFIG", "memory_mb"],
    [CREATE, configHeader({ bogus: 1 }), 400, "INVALID_CONFIG", "bogus"],
    [CREATE, configHeader({ secrets: { A: {} } }), 501, "NOT_SUPPORTED_YET", "secrets"],
    ["/api/v2/sandbox/ws", {}, 400, "INVALID_CONFIG", "x-denodeploy-config-v2"],
    ["/api/v2/sandbox/ws", v2("{}"), 400, "INVALID_CONFIG", "sandbox_id"],
    ["/api/v2/sandbox/ws", v2(`{"sandbox_id":"x","mode":"create"}`), 400, "INVALID_CONFIG"],
    ["/api/v3/sandbox/sbx_ams_00000000000000000000/connect", {}, 404, "SANDBOX_NOT_FOUND"],
    [`/api/v3/sandbox/${id}/connect`, {}, 410, "SANDBOX_STOPPED"],
    ["/api/v3/nothing", {}, 404, "ROUTE_NOT_FOUND"],
  ];
  for (const [path, headers, status, code, field] of bad) {
    await test.step(`${code} ${field ?? ""} ${path}`, async () => {
      const got = await refused(open(server, path, headers));
      assert.deepEqual([got.status, got.code], [status, code], String(got.message));
      if (field !== undefined) assert.equal(got.field, field);
    });
  }
  assert.deepEqual(server.engine.list(), []);
});

Deno.test("labels beyond ASCII arrive as the published clients write them", async () => {
  await using server = await serveStandIn();
  const opened = await open(server, CREATE, configHeader({ labels: { "clé": "ä" } }));
  const utf8 = Buffer.from(JSON.stringify({ labels: { "ключ": "✓" } })).toString("base64");
  const second = await open(server, CREATE, { "x-deno-sandbox-config": utf8 });
  const labels = server.engine.list().map(({ spec }) => spec.labels);
  assert.deepEqual(labels, [{ "clé": "ä" }, { "ключ": "✓" }]);
  opened.socket.terminate();
  second.socket.terminate();
});

Deno.test("the region may be named by the host", async () => {
  await using server = await serveStandIn();
  const opened = await open(server, CREATE, { host: "ord.sandbox.example:4200" });
  assert.match(String(opened.headers["x-deno-sandbox-id"]), /^sbx_ord_/);
  opened.socket.terminate();
});

Deno.test("our subprotocol is passed on and answered, foreign ones are not", async () => {
  await using server = await serveStandIn();
  const opened = await open(server, CREATE, {}, ["paddock.v1"]);
  assert.equal(opened.socket.protocol, "paddock.v1");
  opened.socket.terminate();
  const foreign = await refused(open(server, CREATE, {}, ["graphql-ws"]));
  assert.match(String(foreign.message ?? ""), /|no subprotocol/);
  assert.equal(server.engine.agent.upgrades[1]["sec-websocket-protocol"], undefined);
});

Deno.test("a client that leaves while its sandbox is created leaves nothing behind", async () => {
  await using server = await serveStandIn();
  server.engine.creation = new Promise(() => {});
  for (const leave of ["destroy", "end", "resetAndDestroy"] as const) {
    const socket = await rawUpgrade(server, CREATE);
    await until("creating", () => server.engine.creating === 1);
    socket[leave]();
    await until(`gone after ${leave}`, () => server.engine.list().length === 0);
    socket.destroy();
  }
  const all = await (await server.fetch("/api/v2/sandboxes?status=all")).json();
  assert.equal(all.length, 3);
  for (const { endReason } of all) assert.equal(endReason, "create_failed");
});

Deno.test("a killed sandbox's clients are told why", async () => {
  await using server = await serveStandIn();
  const opened = await open(server, CREATE);
  const id = String(opened.headers["x-deno-sandbox-id"]);
  const close = closed(opened.socket);
  await server.fetch(`/api/v3/sandbox/${id}`, { method: "DELETE" });
  assert.deepEqual(await close, {
    code: 1000,
    reason: "the sandbox has stopped: it was killed",
  });
  const timedOut = await open(server, CREATE);
  const second = closed(timedOut.socket);
  server.engine.list()[0].kill("timeout");
  assert.deepEqual(await second, {
    code: 1001,
    reason: "the sandbox has stopped: its time was up",
  });
});

Deno.test("an agent that goes silent or closes is passed on", async () => {
  await using server = await serveStandIn();
  server.engine.agent.onConnection = (socket) => socket.terminate();
  const lost = await open(server, CREATE);
  const close = await closed(lost.socket);
  assert.deepEqual(close, { code: 1011, reason: "the connection to the sandbox was lost" });
  server.engine.agent.onConnection = (socket) => socket.close(4001, "own words");
  const told = await open(server, CREATE);
  assert.deepEqual(await closed(told.socket), { code: 4001, reason: "own words" });
  assert.equal(server.engine.list().length, 0, "both sessions were given up");
});

Deno.test("a guest that answers nonsense is cut short", async (test) => {
  await using server = await serveStandIn();
  const answers: [string, string][] = [
    ["garbage", "\x16\x03\x01garbage\r\n\r\n"],
    ["another status", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"],
    ["no accept", "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
    ["endless head", `HTTP/1.1 101 Switching Protocols\r\nx: ${"y".repeat(100_000)}`],
    ["hang up", ""],
  ];
  const { createServer } = await import("node:net");
  for (const [name, answer] of answers) {
    await test.step(name, async () => {
      const guest = createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", () => answer === "" ? socket.destroy() : socket.write(answer));
      });
      guest.listen(0, "127.0.0.1");
      await once(guest, "listening");
      const { port } = guest.address() as { port: number };
      const echoPort = Object.getOwnPropertyDescriptor(server.engine.agent, "port");
      Object.defineProperty(server.engine.agent, "port", { value: port, configurable: true });
      const got = await refused(open(server, CREATE));
      assert.deepEqual([got.status, got.code], [502, "AGENT_UNREACHABLE"]);
      assert.equal(server.engine.list().length, 0);
      if (echoPort) Object.defineProperty(server.engine.agent, "port", echoPort);
      guest.close();
      await once(guest, "close");
    });
  }
});

Deno.test("a guest that never answers is waited for no longer than the limit", async () => {
  await using server = await serveStandIn({ upgradeTimeoutMs: 200 });
  const { createServer } = await import("node:net");
  const guest = createServer((socket) => void socket.on("error", () => {}).resume());
  guest.listen(0, "127.0.0.1");
  await once(guest, "listening");
  const { port } = guest.address() as { port: number };
  Object.defineProperty(server.engine.agent, "port", { value: port });
  const got = await refused(open(server, CREATE));
  assert.deepEqual([got.status, got.code], [502, "AGENT_UNREACHABLE"]);
  assert.match(String(got.message), /limits\.upgradeTimeoutMs/);
  guest.close();
  await once(guest, "close");
});

Deno.test("a silent client is pinged, and one that does not answer is closed on", async () => {
  await using server = await serveStandIn({ clientIdleMs: 5_000 });
  const alive = await open(server, CREATE);
  let pings = 0;
  alive.socket.on("ping", () => pings++);
  const dead = await rawUpgrade(server, CREATE);
  await until("both run", () => server.engine.list().length === 2);
  const began = performance.now();
  await until("the dead one's sandbox ends", () => server.engine.list().length === 1, 9_000);
  assert.ok(performance.now() - began > 4_900);
  assert.ok(pings > 0);
  assert.equal(await echo(alive, "alive"), "alive");
  alive.socket.terminate();
  dead.destroy();
});

Deno.test("a client that waits for a late guest is told that the connection stands, but not for ever", async () => {
  await using server = await serveStandIn({ guestSilenceMs: 8_000 });
  server.engine.agent.onConnection = () => {};
  const { socket } = await open(server, CREATE);
  const pings: number[] = [];
  const began = performance.now();
  socket.on("ping", () => pings.push(performance.now() - began));
  const asking = setInterval(() => socket.send("ping"), 500);
  await until("the server vouches", () => pings.length >= 2, 9_000);
  await new Promise((resolve) => setTimeout(resolve, 12_000 - (performance.now() - began)));
  clearInterval(asking);
  assert.ok(pings[0] > 3_000, `at ${pings[0]} ms`);
  assert.ok(pings.at(-1)! < 10_000, `at ${pings.at(-1)} ms still`);
  socket.terminate();
});

Deno.test("closing the server tells clients that it goes", async () => {
  await using server = await serveStandIn();
  const opened = await open(server, CREATE, configHeader({ timeout: "5m" }));
  const close = closed(opened.socket);
  await server.close();
  assert.deepEqual(await close, { code: 1001, reason: "the server is shutting down" });
});

Deno.test("closing the server does not wait for a sandbox that is being created", async () => {
  await using server = await serveStandIn();
  server.engine.creation = new Promise(() => {});
  const opening = refused(open(server, CREATE));
  const posting = server.fetch("/api/v3/sandboxes", { method: "POST", body: "{}" });
  await until("both are being created", () => server.engine.creating === 2);
  const began = performance.now();
  const closing = server.close();
  assert.deepEqual((await opening).code, "SHUTTING_DOWN");
  const posted = await posting;
  assert.deepEqual([posted.status, (await posted.json()).code], [503, "SHUTTING_DOWN"]);
  await closing;
  assert.ok(performance.now() - began < 2_000);
  assert.deepEqual(server.engine.list(), []);
});

Deno.test("connections to one sandbox are limited", async () => {
  await using server = await serveStandIn({ connectionsPerSandbox: 2 });
  const first = await open(server, CREATE);
  const path = `/api/v3/sandbox/${first.headers["x-deno-sandbox-id"]}/connect`;
  const second = await open(server, path);
  const got = await refused(open(server, path));
  assert.deepEqual([got.status, got.code], [429, "TOO_MANY_CONNECTIONS"]);
  first.socket.terminate();
  second.socket.terminate();
});

Deno.test("connections that are opened at once do not exceed the sandbox's limit", async () => {
  await using server = await serveStandIn({ connectionsPerSandbox: 4 });
  const first = await open(server, CREATE);
  const path = `/api/v3/sandbox/${first.headers["x-deno-sandbox-id"]}/connect`;
  const all = await Promise.allSettled(Array.from({ length: 20 }, () => open(server, path)));
  const got = all.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  assert.equal(got.length, 3);
  // A place that comes free is another's.
  const gone = closed(got[0].socket);
  got[0].socket.close();
  await gone;
  let again: Opened | undefined;
  await until("a free place", () => {
    again ?? open(server, path).then((opened) => again ??= opened, () => {});
    return again !== undefined;
  });
  for (const { socket } of [first, ...got, again!]) socket.terminate();
});

Deno.test("one organisation does not take all connections of the server", async () => {
  await using server = await serveStandIn({ connectionsPerOrganization: 3 });
  const held = [await open(server, CREATE), await open(server, CREATE), await open(server, CREATE)];
  const path = `/api/v3/sandbox/${held[0].headers["x-deno-sandbox-id"]}/connect`;
  const got = await refused(open(server, path));
  assert.deepEqual([got.status, got.code], [429, "TOO_MANY_CONNECTIONS"]);
  assert.match(String(got.message), /limits\.connectionsPerOrganization/);
  const listing = await server.fetch("/api/v2/sandboxes");
  assert.equal(listing.status, 429);
  assert.equal(listing.headers.get("connection"), "close");
  assert.equal((await listing.json()).code, "TOO_MANY_CONNECTIONS");
  const others = await server.fetch("/api/v2/sandboxes", { token: server.otherToken });
  assert.deepEqual(await others.json(), []);
  held[2].socket.terminate();
  await until("the place of the one that left", () => server.engine.list().length === 2);
  let again: Response | undefined;
  for (let tries = 0; again?.status !== 200; tries++) {
    assert.ok(tries < 100, "its place is not free");
    await again?.arrayBuffer();
    again = await server.fetch("/api/v2/sandboxes");
  }
  assert.equal((await again.json()).length, 2);
  for (const { socket } of held) socket.terminate();
});

/** An upgrade request on a bare socket, for clients that do what no library does. */
async function rawUpgrade(server: StandInServer, path: string): Promise<Socket> {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.token}\r\n` +
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  return socket;
}

import assert from "node:assert/strict";
import {
  ApiError,
  ConnectionClosedError,
  ConnectionEstablishmentError,
  ConnectionLostError,
  InvalidTokenError,
  NetworkError,
  Sandbox,
} from "./mod.ts";
import { standInId, startStandIn } from "./testing/stand_in_server.ts";

const token = "ddo_test";
const never = () => new Promise(() => {});

Deno.test("a broken connection fails pending calls once, repeats none, and is made again", async () => {
  await using server = await startStandIn({
    denoReplCall: never,
    envGet: () => "value",
    processWait: never,
    spawn: () => ({ pid: 7, stdoutStreamId: null, stderrStreamId: null }),
  });
  await using sandbox = await Sandbox.create({ endpoint: server.endpoint, token, timeout: "5m" });
  assert.equal(sandbox.id, standInId);
  assert.deepEqual(server.created, [{ timeout: "5m" }]);
  const child = await sandbox.spawn("sleep", { stdout: "null", stderr: "null" });
  while (!server.calls.includes("processWait")) await new Promise((wait) => setTimeout(wait, 5));
  server.dropAll();
  const error = await child.status.then(() => undefined, (error) => error);
  assert.ok(error instanceof ConnectionLostError);
  assert.equal(error.code, "CONNECTION_LOST");
  assert.match(error.message, /^processWait: /);
  // Made while there is no connection, it waits for the next one.
  assert.equal(await sandbox.env.get("KEY"), "value");
  assert.equal(server.peers.length, 2);
  assert.deepEqual(server.calls, ["spawn", "processWait", "envGet"]);
});

Deno.test("a session sandbox that loses its connection is closed", async () => {
  await using server = await startStandIn({ envGet: never });
  await using sandbox = await Sandbox.create({ endpoint: server.endpoint, token });
  const pending = sandbox.env.get("KEY");
  server.dropAll();
  await assert.rejects(pending, ConnectionLostError);
  await sandbox.closed;
  await assert.rejects(sandbox.env.get("KEY"), ConnectionLostError);
  assert.equal(server.peers.length, 1);
});

Deno.test("reconnecting ends when the server says that the sandbox is gone", async () => {
  await using server = await startStandIn({ envGet: never });
  await using sandbox = await Sandbox.create({ endpoint: server.endpoint, token, timeout: "5m" });
  server.refuse = { status: 410, body: { code: "SANDBOX_STOPPED", message: "It has stopped." } };
  server.dropAll();
  await sandbox.closed;
  await assert.rejects(sandbox.env.get("KEY"), (error: ConnectionClosedError) => {
    assert.ok(error instanceof ConnectionClosedError);
    assert.match(error.message, /It has stopped/);
    return true;
  });
});

Deno.test("a kill that fails leaves a sandbox that is connected to again", async () => {
  let drop = () => {};
  await using server = await startStandIn({ envGet: () => "value" }, (_request, response) => {
    drop();
    response.writeHead(503, { "content-type": "application/json" });
    response.end(JSON.stringify({ code: "SHUTTING_DOWN", message: "Not now." }));
  });
  await using sandbox = await Sandbox.create({ endpoint: server.endpoint, token, timeout: "5m" });
  await assert.rejects(sandbox.kill(), /Not now/);
  // The call that meets the loss fails and is not repeated; the next one waits for a connection.
  const ask = () => sandbox.env.get("KEY").catch(() => sandbox.env.get("KEY"));
  server.dropAll();
  assert.equal(await ask(), "value");
  // The same when the connection breaks while the kill is under way.
  drop = () => server.dropAll();
  await assert.rejects(sandbox.kill(), /Not now/);
  assert.equal(await ask(), "value");
  assert.equal(server.peers.length, 3);
});

Deno.test("a kill that succeeds makes no other connection", async () => {
  let drop = () => {};
  await using server = await startStandIn({ envGet: () => "value" }, (_request, response) => {
    drop();
    setTimeout(() => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end("{}");
    }, 300);
  });
  await using sandbox = await Sandbox.create({ endpoint: server.endpoint, token, timeout: "5m" });
  drop = () => server.dropAll();
  const kill = sandbox.kill();
  const closed = sandbox.closed;
  await kill;
  await closed;
  await assert.rejects(sandbox.env.get("KEY"), ConnectionLostError);
  assert.equal(server.peers.length, 1);
});

Deno.test("a server that falls silent is noticed, and nothing hangs", async () => {
  await using server = await startStandIn({ envGet: never, "paddock.info": never });
  await using sandbox = await Sandbox.create({ endpoint: server.endpoint, token });
  const pending = sandbox.env.get("KEY");
  server.freeze();
  const started = Date.now();
  await assert.rejects(pending, /no sign of life for 10 s/);
  assert.ok(Date.now() - started < 20_000);
});

Deno.test("a sandbox that is late with all its answers is not lost while the server vouches for it", async () => {
  await using server = await startStandIn({ envGet: never, "paddock.info": never });
  await using sandbox = await Sandbox.create({ endpoint: server.endpoint, token });
  const pending = sandbox.env.get("KEY");
  let lost = false;
  pending.catch(() => lost = true);
  server.freeze();
  const vouching = setInterval(() => server.peers[0].socket.ping(), 3_000);
  await new Promise((resolve) => setTimeout(resolve, 14_000));
  clearInterval(vouching);
  assert.equal(lost, false);
  await assert.rejects(pending, /no sign of life for 10 s/);
});

Deno.test("an aborted call rejects at once with the signal's reason", async () => {
  await using server = await startStandIn({ abort: () => undefined, fetch: never });
  await using sandbox = await Sandbox.create({ endpoint: server.endpoint, token });
  const controller = new AbortController();
  const pending = sandbox.fetch("http://example.com/", { signal: controller.signal });
  await new Promise((resolve) => setTimeout(resolve, 50));
  controller.abort(new Error("enough"));
  await assert.rejects(pending, /^Error: enough$/);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(server.calls, ["fetch", "abort"]);
});

Deno.test("streams of a lost connection fail", async () => {
  await using server = await startStandIn({
    processWait: never,
    spawn: (_input, peer) => ({
      pid: 7,
      stdoutStreamId: peer.streams.openOutbound(
        new ReadableStream({ pull: () => never() as never }),
      ),
      stderrStreamId: null,
    }),
  });
  await using sandbox = await Sandbox.create({ endpoint: server.endpoint, token, timeout: "5m" });
  const child = await sandbox.spawn("cat", { stdout: "piped", stderr: "null" });
  const output = child.output();
  server.dropAll();
  await assert.rejects(output, ConnectionLostError);
});

Deno.test("refusals are typed and carry the server's words", async () => {
  await using server = await startStandIn({});
  server.refuse = {
    status: 400,
    body: { code: "INVALID_CONFIG", message: "labels: too many", field: "labels" },
  };
  await assert.rejects(Sandbox.create({ endpoint: server.endpoint, token }), (error: unknown) => {
    assert.ok(error instanceof ConnectionEstablishmentError);
    assert.equal(error.status, 400);
    assert.equal(error.code, "INVALID_CONFIG");
    assert.equal(error.field, "labels");
    assert.equal(error.traceId, "trace-1");
    return true;
  });
  server.refuse = { status: 401, body: { code: "INVALID_TOKEN", message: "Unknown token." } };
  await assert.rejects(Sandbox.create({ endpoint: server.endpoint, token }), InvalidTokenError);
  server.refuse = { status: 502, body: "<html>" };
  await assert.rejects(
    Sandbox.create({ endpoint: server.endpoint, token }),
    (error: ConnectionEstablishmentError) => error.code === "HTTP_502",
  );
});

Deno.test("a server that is not there is a network error", async () => {
  await assert.rejects(
    Sandbox.create({ endpoint: "http://127.0.0.1:1", token }),
    (error: unknown) => error instanceof NetworkError && /ECONNREFUSED|refused/.test(error.message),
  );
});

Deno.test("a server's refusal to expose a port is an ApiError", async () => {
  await using server = await startStandIn({}, (_request, response) => {
    response.writeHead(501, { "content-type": "application/json" });
    response.end(JSON.stringify({ code: "NOT_SUPPORTED_YET", message: "Not yet." }));
  });
  await using sandbox = await Sandbox.create({ endpoint: server.endpoint, token });
  await assert.rejects(
    sandbox.exposeHttp({ port: 80 }),
    (error: unknown) => error instanceof ApiError && error.code === "NOT_SUPPORTED_YET",
  );
});

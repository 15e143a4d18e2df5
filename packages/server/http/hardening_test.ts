import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { serveStandIn, type StandInServer } from "../testing/serve_stand_in.ts";

/** Sends bytes as they are and reads to the end of the connection. */
async function exchange(server: StandInServer, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  socket.on("error", () => {});
  let answer = "";
  socket.on("data", (chunk) => answer += chunk.toString("latin1"));
  socket.write(Buffer.from(bytes, "latin1"));
  await once(socket, "close", { signal: AbortSignal.timeout(10_000) });
  return answer;
}

function statuses(answer: string): number[] {
  return [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}

Deno.test("requests that could be read in two ways are refused and not read on", async (test) => {
  await using server = await serveStandIn();
  const second = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const cases: Record<string, string> = {
    "length and chunks":
      `POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `0\r\n\r\n${second}`,
    "two lengths":
      `POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n${second}`,
    "space before colon": `POST /a HTTP/1.1\r\nHost: x\r\nContent-Length : 0\r\n\r\n${second}`,
    "folded header": `GET /a HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n${second}`,
    "bare line feeds": `GET /a HTTP/1.1\nHost: x\n\n${second}`,
    "NUL in a header": `GET /a HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n${second}`,
    "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  };
  for (const [name, bytes] of Object.entries(cases)) {
    await test.step(name, async () => {
      const answer = await exchange(server, bytes);
      assert.deepEqual(statuses(answer), [400], answer);
      assert.match(answer, /"code":"INVALID_REQUEST"/);
    });
  }
});

Deno.test("a head over the limit is refused with the limit's name", async () => {
  await using server = await serveStandIn({ requestHeadBytes: 8192 });
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  for (const more of ["", upgrade]) {
    const answer = await exchange(
      server,
      `GET /api/v3/sandboxes/create HTTP/1.1\r\nHost: x\r\n${more}` +
        `x-deno-sandbox-config: ${"A".repeat(10_000)}\r\n\r\n`,
    );
    assert.deepEqual(statuses(answer), [431]);
    assert.match(answer, /limits\.requestHeadBytes/);
  }
});

Deno.test("a client that sends slowly is cut off", async () => {
  await using server = await serveStandIn({ requestTimeoutMs: 1_000 });
  const slow = [
    "GET /health HTTP/1.1\r\nHost: x\r\n",
    `POST /api/v3/sandboxes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.token}\r\n` +
    "Content-Length: 100\r\n\r\n{",
    "",
  ];
  const answers = await Promise.all(slow.map((bytes) => exchange(server, bytes)));
  for (const answer of answers) assert.deepEqual(statuses(answer).slice(0, 1), [408], answer);
  assert.deepEqual(server.engine.list(), []);
});

Deno.test("strange targets are no way around the routes", async () => {
  await using server = await serveStandIn();
  const ask = async (target: string) =>
    statuses(
      await exchange(server, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    );
  assert.deepEqual(await ask("http://elsewhere/health"), [200]);
  assert.deepEqual(await ask("/api/v3/../../health"), [200], "a path is resolved, then routed");
  assert.deepEqual(await ask("//health"), [404]);
  assert.deepEqual(await ask("/api/v3/sandbox/%2e%2e%2fhealth"), [401]);
  assert.deepEqual(await ask("*"), [400]);
  const trace = await exchange(
    server,
    "TRACE /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  );
  assert.deepEqual(statuses(trace), [405]);
});

Deno.test("an upgrade to something else than a WebSocket is refused", async () => {
  await using server = await serveStandIn();
  const answer = await exchange(
    server,
    `GET /api/v3/sandboxes/create HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.token}\r\n` +
      "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
  );
  assert.deepEqual(statuses(answer), [426]);
  const keyless = await exchange(
    server,
    `GET /api/v3/sandboxes/create HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.token}\r\n` +
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  assert.deepEqual(statuses(keyless), [400]);
  assert.match(keyless, /"field":"sec-websocket-key"/);
  assert.deepEqual(server.engine.list(), []);
});

Deno.test("a body is not read for a caller who is not known", async () => {
  await using server = await serveStandIn();
  const began = performance.now();
  const answer = await exchange(
    server,
    "POST /api/v3/sandboxes HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
  );
  assert.deepEqual(statuses(answer), [401], "the answer does not wait for the body");
  assert.match(answer.toLowerCase(), /\r\nconnection: close\r\n/);
  assert.ok(performance.now() - began < 5_000, "and the connection does not stay");
});

Deno.test("connections beyond the limit are not served, and room is made by those that go", async () => {
  await using server = await serveStandIn({ connections: 2 });
  const port = Number(new URL(server.url).port);
  const held = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
  await Promise.all(held.map((socket) => once(socket, "connect")));
  // Both must have been counted before the third knocks.
  await new Promise((settled) => setTimeout(settled, 100));
  const ask = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  assert.deepEqual(statuses(await exchange(server, ask)), []);
  for (const socket of held) socket.destroy();
  await new Promise((settled) => setTimeout(settled, 100));
  assert.deepEqual(statuses(await exchange(server, ask)), [200]);
});

Deno.test("a connection serves one request after another", async () => {
  await using server = await serveStandIn();
  const auth = `Authorization: Bearer ${server.token}`;
  const answer = await exchange(
    server,
    "GET /health HTTP/1.1\r\nHost: x\r\n\r\n" +
      `POST /api/v3/sandboxes HTTP/1.1\r\nHost: x\r\n${auth}\r\nContent-Length: 2\r\n\r\n{}` +
      `DELETE /api/v3/sandbox/none HTTP/1.1\r\nHost: x\r\n${auth}\r\n\r\n` +
      "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  );
  assert.deepEqual(statuses(answer), [200, 201, 404, 200]);
});

import { connect, type Socket } from "node:net";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import assert from "node:assert/strict";
import { delay, residentBytes, startServer, type TestServer } from "../harness.ts";
import { RawConnection } from "./raw_connection.ts";

Deno.test("broken handshakes and garbage on the HTTP port", async (t) => {
  await using server = await startServer();
  const healthy = async () => {
    const response = await fetch(`${server.api}/health`);
    assert.equal(response.status, 200);
    await response.body?.cancel();
  };
  const head = (changes: Record<string, string | null>, path = "/api/v3/sandboxes/create") => {
    const headers: Record<string, string | null> = {
      host: "x",
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      authorization: `Bearer ${server.token}`,
      "x-deno-sandbox-config": btoa("{}"),
      ...changes,
    };
    const lines = Object.entries(headers).filter(([, value]) => value !== null)
      .map(([name, value]) => `${name}: ${value}`);
    return `GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
  };

  await t.step("handshakes that are none get an HTTP error and an end", async () => {
    const cases: Record<string, string> = {
      "no key": head({ "sec-websocket-key": null }),
      "short key": head({ "sec-websocket-key": "abc" }),
      "old version": head({ "sec-websocket-version": "8" }),
      "another protocol": head({ upgrade: "h2c" }),
      "no token": head({ authorization: null }),
      "config is not base64": head({ "x-deno-sandbox-config": "\u00ff\u00fe" }),
      "nowhere": head({}, "/nowhere"),
      "v2 without its header": head({}, "/api/v2/sandbox/ws"),
      "v2 with nonsense": head({ "x-denodeploy-config-v2": "{" }, "/api/v2/sandbox/ws"),
      "id with dots": head({}, "/api/v3/sandbox/../../etc/connect"),
    };
    for (const [name, text] of Object.entries(cases)) {
      const { answer } = await exchange(server, text);
      const status = Number(answer.split(" ")[1]);
      assert.ok(status >= 400 && status < 500, `${name} → ${answer.slice(0, 200)}`);
    }
    await healthy();
  });

  await t.step("a plain GET of a WebSocket address is told to upgrade", async () => {
    const response = await fetch(`${server.api}/api/v3/sandboxes/create`, {
      headers: { authorization: `Bearer ${server.token}` },
    });
    assert.equal(response.status, 426);
    await response.body?.cancel();
  });

  await t.step("garbage is answered or cut, never fatal", async () => {
    const before = await residentBytes(server.pid);
    const garbage: (string | Uint8Array)[] = [
      randomBytes(100_000),
      "GET / HTTP/9.9\r\n\r\n",
      "\0\0\0\0\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      `GET /${"a".repeat(200_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
      `GET / HTTP/1.1\r\nhost: x\r\n${"a: b\r\n".repeat(20_000)}\r\n`,
      `GET / HTTP/1.1\r\nhost: x\r\ncookie: ${"c".repeat(500_000)}\r\n\r\n`,
      "POST /api/v3/sandboxes HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
      "POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    for (const bytes of garbage) {
      const { ended } = await exchange(server, bytes);
      assert.ok(ended, `still open after ${String(bytes).slice(0, 40)}`);
      await healthy();
    }
    const growth = await residentBytes(server.pid) - before;
    assert.ok(growth < 64 * 1024 * 1024, `server grew by ${growth} bytes`);
  });

  await t.step("200 clients that send their headers slowly do not keep others out", async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, async () => {
      const socket = await open(server);
      socket.write("GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ");
      return socket;
    }));
    for (let i = 0; i < 5; i++) {
      for (const socket of sockets) socket.write("s");
      await healthy();
      await delay(100);
    }
    for (const socket of sockets) socket.destroy();
    await healthy();
  });

  await t.step("clients that leave in the middle of creating leave nothing running", async () => {
    for (const wait of [0, 5, 50, 150]) {
      const socket = await open(server);
      socket.write(head({}));
      await delay(wait);
      socket.destroy();
    }
    await delay(500);
    for (let tries = 0;; tries++) {
      const response = await fetch(`${server.api}/api/v2/sandboxes`, {
        headers: { authorization: `Bearer ${server.token}` },
      });
      const list: { status: string }[] = await response.json();
      const living = list.filter((item) => item.status !== "stopped");
      if (living.length === 0) break;
      assert.ok(tries < 100, `still there: ${JSON.stringify(living)}`);
      await delay(100);
    }
  });

  await t.step("frames that break the WebSocket rules end that connection alone", async () => {
    const config = { stop_at_ms: Date.now() + 300_000 };
    await using good = await RawConnection.open(server, { config });
    const broken: Record<string, Uint8Array> = {
      "not masked": new Uint8Array([0x81, 0x04, 0x70, 0x69, 0x6e, 0x67]),
      "reserved bits": new Uint8Array([0xf1, 0x80, 0, 0, 0, 0]),
      "unknown opcode": new Uint8Array([0x83, 0x80, 0, 0, 0, 0]),
      "fragmented control": new Uint8Array([0x09, 0x80, 0, 0, 0, 0]),
      "continuation of nothing": new Uint8Array([0x80, 0x80, 0, 0, 0, 0]),
      "length of 2^63": new Uint8Array([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      "close with one byte": new Uint8Array([0x88, 0x81, 0, 0, 0, 0, 1]),
      "noise": randomBytes(4096),
    };
    for (const [name, bytes] of Object.entries(broken)) {
      const path = `/api/v3/sandbox/${good.sandboxId}/connect`;
      const text = head({ "x-deno-sandbox-config": null }, path);
      const { answer, ended } = await exchange(server, text, bytes);
      assert.match(answer, /^HTTP\/1\.1 101/, name);
      assert.ok(ended, `${name}: still open`);
      const reply = await good.call("envToObject", {});
      assert.ok(reply.result.ok, name);
    }
  });
});

async function open(server: TestServer): Promise<Socket> {
  const { hostname, port } = new URL(server.api);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Sends bytes (and more once a 101 came), and reads until the other side ends or 15 s are over. */
async function exchange(
  server: TestServer,
  bytes: string | Uint8Array,
  afterUpgrade?: Uint8Array,
): Promise<{ answer: string; ended: boolean }> {
  const socket = await open(server);
  let answer = "";
  let ended = false;
  const closed = new Promise<void>((resolve) =>
    socket.on("close", () => {
      ended = true;
      resolve();
    })
  );
  socket.on("data", (chunk: Uint8Array) => {
    const first = !answer.includes("\r\n\r\n");
    answer += new TextDecoder("latin1").decode(chunk);
    if (afterUpgrade && first && answer.includes("\r\n\r\n")) socket.write(afterUpgrade);
    // An answer that keeps the connection open for more requests is an answer all the same.
    if (!afterUpgrade && /^HTTP\/1\.1 4\d\d/.test(answer)) socket.end();
  });
  socket.write(bytes);
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 15_000);
  await Promise.race([closed, late]);
  clearTimeout(timer);
  socket.destroy();
  return { answer, ended };
}

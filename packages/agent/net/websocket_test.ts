import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { readRequestHead } from "./http_head.ts";
import { ServerWebSocket } from "./websocket.ts";

const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

interface Served extends AsyncDisposable {
  port: number;
}

/** Serves each connection with `work`, behind a handshake that takes any key. */
function serve(work: (socket: ServerWebSocket) => Promise<void>): Served {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const running: Promise<void>[] = [];
  const handle = async (conn: Deno.TcpConn) => {
    const head = await readRequestHead(conn);
    if (!head) return conn.close();
    const key = head.headers.get("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key));
    await conn.write(new TextEncoder().encode(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
        `sec-websocket-accept: ${new Uint8Array(digest).toBase64()}\r\n\r\n`,
    ));
    await work(new ServerWebSocket(conn, head.rest, MAX_MESSAGE_BYTES)).catch(() => {});
  };
  const accepting = (async () => {
    for await (const conn of listener) running.push(handle(conn));
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting.catch(() => {});
      await Promise.all(running);
    },
  };
}

const echo = () =>
  serve(async (socket) => {
    for await (const message of socket.messages()) await socket.send(message);
  });

async function open(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return socket;
}

function next(socket: WebSocket): Promise<{ data: Uint8Array; binary: boolean }> {
  return new Promise((resolve) =>
    socket.once("message", (data: Uint8Array, binary: boolean) => resolve({ data, binary }))
  );
}

function closed(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => socket.once("close", resolve));
}

/** Speaks to the server byte by byte; gives what it answers until it closes. */
async function rawExchange(port: number, bytes: number[]): Promise<Uint8Array> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(
    "GET / HTTP/1.1\r\nhost: a\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  ));
  await conn.write(new Uint8Array(bytes));
  const all = await new Response(conn.readable).bytes();
  const text = new TextDecoder("latin1").decode(all);
  return all.subarray(text.indexOf("\r\n\r\n") + 4);
}

Deno.test("messages of every length come back as they were", async () => {
  await using server = echo();
  const socket = await open(server.port);
  for (const length of [0, 1, 125, 126, 65_535, 65_536, 600_000, MAX_MESSAGE_BYTES]) {
    const sent = new Uint8Array(length).map((_, i) => i * 31);
    const answer = next(socket);
    socket.send(sent);
    const { data, binary } = await answer;
    assert.equal(binary, true);
    assert.deepEqual(new Uint8Array(data), sent, `${length} bytes`);
  }
  const answer = next(socket);
  socket.send("grüße 🦕");
  assert.equal(new TextDecoder().decode((await answer).data), "grüße 🦕");
  socket.close(1000);
  assert.equal(await closed(socket), 1000);
});

Deno.test("many messages at once keep their order", async () => {
  await using server = echo();
  const socket = await open(server.port);
  const count = 3000;
  const seen: string[] = [];
  const done = new Promise<void>((resolve) =>
    socket.on("message", (data: Uint8Array) => {
      seen.push(new TextDecoder().decode(data));
      if (seen.length === count) resolve();
    })
  );
  const sent = Array.from({ length: count }, (_, i) => `${i}:${"x".repeat(i % 997)}`);
  for (const text of sent) socket.send(text);
  await done;
  assert.deepEqual(seen, sent);
  socket.close();
  await closed(socket);
});

Deno.test("large and small frames keep their order while the reader is slow", async () => {
  const large = new Uint8Array(300_000).fill(1);
  await using server = serve(async (socket) => {
    for await (const _ of socket.messages()) {
      const sent: unknown[] = [];
      for (let i = 0; i < 40; i++) {
        sent.push(socket.send(large), socket.send(`after ${i}`));
      }
      await Promise.all(sent);
    }
  });
  const socket = await open(server.port);
  const seen: string[] = [];
  const done = new Promise<void>((resolve) =>
    socket.on("message", (data: Uint8Array, binary: boolean) => {
      seen.push(binary ? String(data.length) : new TextDecoder().decode(data));
      if (seen.length === 80) resolve();
    })
  );
  socket.send("go");
  socket.pause();
  await new Promise((resolve) => setTimeout(resolve, 100));
  socket.resume();
  await done;
  assert.deepEqual(
    seen,
    Array.from({ length: 80 }, (_, i) => i % 2 ? `after ${(i - 1) / 2}` : "300000"),
  );
  socket.close();
  await closed(socket);
});

Deno.test("a reader that does not read makes the sender wait", async () => {
  const stuck = Promise.withResolvers<number>();
  await using server = serve(async (socket) => {
    const chunk = new Uint8Array(256 * 1024);
    for (let sent = 0;; sent++) {
      const waiting = socket.send(chunk);
      const inTime = await Promise.race([
        Promise.resolve(waiting).then(() => true),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 300)),
      ]);
      if (inTime) continue;
      stuck.resolve(sent);
      await socket.close();
      return;
    }
  });
  const socket = await open(server.port);
  socket.pause();
  const sent = await stuck.promise;
  assert.ok(sent > 0 && sent < 200, `${sent} chunks went before the sender had to wait`);
  socket.terminate();
});

Deno.test("parts make one message, with a ping between them answered", async () => {
  await using server = echo();
  const socket = await open(server.port);
  const answer = next(socket);
  const pong = new Promise((resolve) => socket.once("pong", resolve));
  socket.send("one ", { fin: false });
  socket.ping("p");
  socket.send("two", { fin: true });
  assert.equal(new TextDecoder().decode((await answer).data), "one two");
  await pong;
  socket.close();
  await closed(socket);
});

Deno.test("a message over the limit closes with 1009", async () => {
  await using server = echo();
  const socket = await open(server.port);
  socket.on("error", () => {});
  socket.send(new Uint8Array(MAX_MESSAGE_BYTES + 1));
  assert.equal(await closed(socket), 1009);
});

for (
  const [name, bytes, code] of [
    ["a frame without a mask", [0x81, 0x01, 0x41], 1002],
    ["a reserved bit", [0xc1, 0x81, 0, 0, 0, 0, 0x41], 1002],
    ["an unknown opcode", [0x83, 0x80, 0, 0, 0, 0], 1002],
    ["a continuation of nothing", [0x80, 0x80, 0, 0, 0, 0], 1002],
    ["a ping in parts", [0x09, 0x80, 0, 0, 0, 0], 1002],
    ["text that is no UTF-8", [0x81, 0x81, 0, 0, 0, 0, 0xff], 1007],
    [
      "a length beyond reason",
      [0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0],
      1009,
    ],
  ] as [string, number[], number][]
) {
  Deno.test(`${name} closes with ${code}`, async () => {
    await using server = echo();
    const answer = await rawExchange(server.port, bytes);
    assert.equal(answer[0], 0x88);
    assert.equal(answer[2] << 8 | answer[3], code);
  });
}

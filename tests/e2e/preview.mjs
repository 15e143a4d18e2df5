// What a program serves from sandboxes with our client, on whatever runtime this is run with; no
// `await using`, for Node 20. Prints `ok …` for each part, and what it skips with the reason.
import assert from "node:assert/strict";
import { Sandbox } from "@paddock/sandbox";

const open = [];
const create = async (options) => {
  const sandbox = await Sandbox.create(options);
  open.push(sandbox);
  return sandbox;
};
const serve = async (sandbox, code) => {
  const server = await sandbox.createJsRuntime({ code, stderr: "null" });
  assert.equal(await server.httpReady, true);
  return server;
};
const text = async (url, init) => {
  const response = await fetch(url, init);
  const body = await response.text();
  assert.equal(response.status, 200, `${url}: ${response.status} ${body}`);
  return body;
};
const ok = (what) => console.log(`ok ${what}`);

try {
  const sandbox = await create();
  await serve(
    sandbox,
    `Deno.serve({ port: 8000 }, async (request) => {
      const { pathname } = new URL(request.url);
      if (request.headers.get("upgrade") === "websocket") {
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onmessage = ({ data }) => socket.send("echo " + data);
        return response;
      }
      if (pathname === "/big") return new Response(new Uint8Array(5_000_000).fill(7));
      if (pathname === "/slow") {
        let turn = 0;
        return new Response(new ReadableStream({
          async pull(controller) {
            if (++turn > 3) return controller.close();
            if (turn > 1) await new Promise((resolve) => setTimeout(resolve, 400));
            controller.enqueue(new TextEncoder().encode("part " + turn + ";"));
          },
        }));
      }
      return new Response(request.method + pathname + (await request.arrayBuffer()).byteLength);
    });`,
  );
  const url = await sandbox.exposeHttp({ port: 8000 });
  assert.match(url, /^https:\/\/[0-9a-hjkmnp-tv-z]{26}\.sandbox\.localhost(:\d+)?$/);
  assert.equal(await text(`${url}/a`), "GET/a0");
  ok("a port");

  const body = new Uint8Array(3_000_000).fill(5);
  assert.equal(await text(`${url}/up`, { method: "PUT", body }), "PUT/up3000000");
  const big = new Uint8Array(await (await fetch(`${url}/big`)).arrayBuffer());
  assert.equal(big.length, 5_000_000);
  assert.ok(big.every((byte) => byte === 7));
  ok("bodies of megabytes");

  const reader = (await fetch(`${url}/slow`)).body.getReader();
  const first = await reader.read();
  const seen = [new TextDecoder().decode(first.value)];
  for (let next; !(next = await reader.read()).done;) {
    seen.push(new TextDecoder().decode(next.value));
  }
  assert.equal(seen.join(""), "part 1;part 2;part 3;");
  assert.ok(seen.length > 1, "a part arrives when it is sent");
  ok("a body in parts");

  if (globalThis.WebSocket) {
    const socket = new WebSocket(url.replace("https:", "wss:"));
    const answer = await new Promise((resolve, reject) => {
      socket.onopen = () => socket.send("hello");
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = (event) => reject(new Error(`WebSocket: ${event.message ?? event.type}`));
    });
    assert.equal(answer, "echo hello");
    socket.close();
    ok("a WebSocket");
  } else console.log("skipped a WebSocket: this runtime has none of its own");

  // 127.0.0.1 is where development servers listen; the address names the process, not a port.
  const own = await serve(
    sandbox,
    `Deno.serve({ hostname: "127.0.0.1", port: 9123 }, () => new Response("by its process"));`,
  );
  const ofProcess = await sandbox.exposeHttp({ pid: own.pid });
  assert.equal(await text(ofProcess), "by its process");
  const again = await sandbox.exposeHttp({ port: 9123 });
  assert.notEqual(again, ofProcess);
  assert.deepEqual(
    await Promise.all([text(url), text(ofProcess), text(again)]),
    ["GET/0", "by its process", "by its process"],
  );
  ok("a process on 127.0.0.1, several addresses at once");

  const other = await create({ port: 8000 });
  // A visitor may be there before the server is.
  const early = text(other.url);
  await serve(other, `Deno.serve({ port: 8000 }, () => new Response("the other"));`);
  assert.equal(await early, "the other");
  assert.deepEqual(await Promise.all([text(url), text(other.url)]), ["GET/0", "the other"]);
  ok("two sandboxes, the same port");

  await sandbox.kill();
  for (const ended of [url, ofProcess, again]) {
    const response = await fetch(ended);
    await response.text();
    assert.equal(response.status, 410);
  }
  assert.equal(await text(other.url), "the other");
  ok("addresses end with their sandbox");
} finally {
  for (const sandbox of open) await sandbox.close();
}

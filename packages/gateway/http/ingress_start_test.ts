import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { rawVisitor } from "./testing/raw_visitor.ts";
import { serveIngress } from "./testing/serve_ingress.ts";

const get = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

/** A port that is free now; whoever wants it starts a server on it. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

Deno.test("visitors of a new address wait for its server to start", async () => {
  await using ingress = await serveIngress();
  const port = await freePort();
  const host = ingress.expose("app", port, { createdAt: Date.now() });
  const visits = [1, 2, 3].map(async () => {
    using visitor = await rawVisitor(ingress, host);
    visitor.send(get(host));
    return await visitor.closed();
  });
  while (ingress.guest.asked.length < 6) await new Promise((resolve) => setTimeout(resolve, 10));
  const server = createServer((_, response) => response.end("started")).listen(port, "127.0.0.1");
  try {
    for (const text of await Promise.all(visits)) assert.match(text, /^HTTP\/1\.1 200 .*started$/s);
  } finally {
    server.close();
    await once(server, "close");
  }
});

Deno.test("a visitor goes on waiting when the guest could not say once", async () => {
  await using ingress = await serveIngress();
  const port = await freePort();
  const host = ingress.expose("app", port, { createdAt: Date.now() });
  const { exposed } = ingress.guest;
  let asked = 0;
  // The second to ask is the one that waits; it hears that there is no such name.
  exposed.get = () => ++asked === 2 ? undefined : port;
  using visitor = await rawVisitor(ingress, host);
  visitor.send(get(host));
  let answered = false;
  const answer = visitor.closed().finally(() => answered = true);
  while (asked < 4 && !answered) await new Promise((resolve) => setTimeout(resolve, 10));
  const server = createServer((_, response) => response.end("started")).listen(port, "127.0.0.1");
  try {
    assert.match(await answer, /^HTTP\/1\.1 200 .*started$/s);
  } finally {
    server.close();
    await once(server, "close");
  }
});

Deno.test("a server that does not start in time is a 502; of an old address at once", async () => {
  await using ingress = await serveIngress({ gatewayStartMs: 300 });
  const port = await freePort();
  for (const [label, createdAt] of [["young", Date.now()], ["old", 1]] as const) {
    const host = ingress.expose(label, port, { createdAt });
    const before = ingress.guest.asked.length;
    using visitor = await rawVisitor(ingress, host);
    visitor.send(get(host));
    const answer = new RegExp(`^HTTP/1.1 502 .*"PORT_NOT_LISTENING".*\\b${port}\\b`, "s");
    assert.match(await visitor.closed(), answer);
    const asked = ingress.guest.asked.slice(before).filter((url) => url.startsWith("/exposed"));
    if (label === "old") assert.equal(asked.length, 1);
    else assert.ok(asked.length > 2, `asked ${asked.length} times`);
  }
});

Deno.test("a visitor who waits for a server leaves when the sandbox ends", async () => {
  await using ingress = await serveIngress();
  const host = ingress.expose("app", await freePort(), { createdAt: Date.now() });
  using visitor = await rawVisitor(ingress, host);
  visitor.send(get(host));
  while (ingress.guest.asked.length < 4) await new Promise((resolve) => setTimeout(resolve, 10));
  ingress.guest.end();
  assert.match(await visitor.closed(), /^HTTP\/1\.1 410 /);
});

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { request as requestTls } from "node:https";
import type { AddressInfo } from "node:net";
import WebSocket, { WebSocketServer } from "ws";
import { hold } from "./flow.ts";
import { rawGuest } from "./testing/raw_guest.ts";
import { rawVisitor } from "./testing/raw_visitor.ts";
import { type ServedIngress, serveIngress } from "./testing/serve_ingress.ts";

const MiB = 1 << 20;

async function serveGuest(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  host = "0.0.0.0",
) {
  const server = createServer(handle);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, host, resolve);
  await promise;
  return {
    server,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A visitor's request with node:https, answered with its response. */
function visit(
  { port, ca }: ServedIngress,
  host: string,
  options: { method?: string; path?: string; headers?: Record<string, string> },
  send: (sent: ClientRequest) => void = (sent) => sent.end(),
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sent = requestTls({
    ...{ host: "127.0.0.1", port, ca, servername: host, agent: false },
    ...options,
    headers: { host, ...options.headers },
  }, resolve);
  sent.on("error", reject);
  send(sent);
  return promise;
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of message.setEncoding("utf8")) text += chunk;
  return text;
}

for (const [name, address] of [["open", "0.0.0.0"], ["loopback only", "127.0.0.1"]]) {
  Deno.test(`32 MiB go up and come back whole (a server that is ${name})`, async () => {
    await using ingress = await serveIngress();
    await using guest = await serveGuest(
      (request, response) => void request.pipe(response),
      address,
    );
    const host = ingress.expose("app", guest.port);
    const sent = createHash("sha256");
    const part = randomBytes(MiB);
    const response = await visit(ingress, host, { method: "PUT" }, async (request) => {
      for (let i = 0; i < 32; i++) {
        part[0] = i;
        sent.update(part);
        if (!request.write(Buffer.from(part))) {
          await new Promise((resolve) => request.once("drain", resolve));
        }
      }
      request.end();
    });
    const received = createHash("sha256");
    for await (const chunk of response) received.update(chunk);
    assert.equal(received.digest("hex"), sent.digest("hex"));
    const tunnelled = ingress.guest.asked.some((url) => url.startsWith("/tunnel"));
    assert.equal(tunnelled, address === "127.0.0.1");
  });
}

Deno.test("a visitor that does not read holds the guest back", async () => {
  await using ingress = await serveIngress();
  let produced = 0;
  await using guest = await serveGuest((_request, response) => {
    const part = Buffer.alloc(256 * 1024);
    const more = () => {
      while (produced < 256 * MiB && !response.destroyed) {
        produced += part.length;
        if (!response.write(part)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  });
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  hold(visitor.socket);
  visitor.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  let before = -1;
  while (produced === 0 || produced !== before) {
    before = produced;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(produced > 0 && produced < 64 * MiB, `${produced / MiB} MiB were taken`);
});

Deno.test("a guest that does not read holds the visitor back", async () => {
  await using ingress = await serveIngress();
  await using guest = await serveGuest((request) => void request.pause());
  const host = ingress.expose("app", guest.port);
  let sent = 0;
  visit(ingress, host, { method: "POST" }, (request) => {
    const part = Buffer.alloc(256 * 1024);
    const more = () => {
      while (sent < 256 * MiB && !request.destroyed) {
        sent += part.length;
        if (!request.write(part)) return void request.once("drain", more);
      }
    };
    more();
  }).catch(() => {});
  let before = -1;
  while (sent !== before) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(sent > 0 && sent < 64 * MiB, `${sent / MiB} MiB were taken`);
});

Deno.test("events arrive one by one, and the guest learns when the visitor goes", async () => {
  await using ingress = await serveIngress();
  const gone = Promise.withResolvers<void>();
  const next = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using guest = await serveGuest(async (_request, response) => {
    response.on("close", () => gone.resolve());
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const [index, gate] of next.entries()) {
      response.write(`data: ${index}\n\n`);
      await gate.promise;
    }
  });
  const host = ingress.expose("app", guest.port);
  const response = await visit(ingress, host, { headers: { accept: "text/event-stream" } });
  const events = response[Symbol.asyncIterator]();
  assert.equal(String((await events.next()).value), "data: 0\n\n");
  next[0].resolve();
  assert.equal(String((await events.next()).value), "data: 1\n\n");
  response.destroy();
  await gone.promise;
  next[1].resolve();
});

Deno.test("trailers travel both ways, Expect and Range with the request", async () => {
  await using ingress = await serveIngress();
  await using guest = await serveGuest(async (request, response) => {
    const body = await textOf(request);
    const { expect, range } = request.headers;
    response.writeHead(206, { trailer: "x-sum" });
    response.write(JSON.stringify({ body, expect, range, trailers: request.trailers }));
    response.addTrailers({ "x-sum": "42" });
    response.end();
  });
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  visitor.send(
    `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n` +
      "Range: bytes=1-2\r\nTrailer: X-Up\r\n\r\n",
  );
  await visitor.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
  visitor.send("3\r\nabc\r\n0\r\nX-Up: 1\r\nContent-Length: 7\r\n\r\n");
  const text = await visitor.until(/0\r\nx-sum: 42\r\n\r\n$/);
  assert.match(text, /HTTP\/1\.1 206 Partial Content\r\n/);
  assert.match(text, /"body":"abc","expect":"100-continue","range":"bytes=1-2"/);
  assert.match(text, /"trailers":\{"x-up":"1"\}/);
});

Deno.test("an answer that comes while the upload goes on reaches the visitor", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest((socket, received) => {
    if (received.length < 100_000) return;
    socket.end("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!");
  });
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  visitor.send(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100000000\r\n\r\n`);
  const sending = setInterval(() => visitor.send("x".repeat(50_000)), 10);
  try {
    assert.match(await visitor.until(/no!$/), /^HTTP\/1\.1 413 Too Large\r\n.*Connection: close/s);
    await visitor.closed();
  } finally {
    clearInterval(sending);
  }
});

Deno.test("both directions may go on at once", async () => {
  await using ingress = await serveIngress();
  await using guest = await serveGuest((request, response) => {
    response.writeHead(200);
    request.on("data", (chunk) => response.write(`got ${chunk}`));
    request.on("end", () => response.end("end"));
  });
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  visitor.send(`POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n`);
  await visitor.until(/got a/);
  visitor.send("1\r\nb\r\n");
  await visitor.until(/got b/);
  visitor.send("0\r\n\r\n");
  await visitor.until(/end\r\n0\r\n\r\n$/);
});

Deno.test("WebSockets echo both ways, idle ones live on, and close as they were closed", async () => {
  const limits = { gatewayIdleMs: 300, gatewayResponseTimeoutMs: 300, gatewayStallMs: 300 };
  await using ingress = await serveIngress({ ...limits, gatewayHeadTimeoutMs: 2_000 });
  await using guest = await serveGuest((_request, response) => void response.end());
  const sockets = new WebSocketServer({ server: guest.server });
  sockets.on("connection", (socket, request) => {
    socket.send(`${request.url} ${request.headers.origin} ${request.headers["x-forwarded-proto"]}`);
    socket.on("message", (data, binary) => socket.send(data, { binary }));
    socket.on("close", (code) => closed.resolve(code));
  });
  const closed = Promise.withResolvers<number>();
  const host = ingress.expose("app", guest.port);
  const socket = new WebSocket(`wss://127.0.0.1:${ingress.port}/chat?a=b`, {
    ...{ ca: ingress.ca, servername: host, headers: { host }, origin: "https://x.test" },
  });
  const messages: (data: Uint8Array) => void = (data) => waiting.shift()?.(data);
  const waiting: ((data: Uint8Array) => void)[] = [];
  const next = () => new Promise<Uint8Array>((resolve) => waiting.push(resolve));
  socket.on("message", messages);
  assert.equal(String(await next()), "/chat?a=b https://x.test https");
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const big = randomBytes(3 * MiB);
  const echoed = next();
  socket.send(big);
  assert.ok(big.equals(await echoed as Buffer));
  socket.close(4001, "enough");
  assert.equal(await closed.promise, 4001);
  sockets.close();
});

Deno.test("an upgrade that the guest refuses is an answer like any other", async () => {
  await using ingress = await serveIngress();
  await using guest = await serveGuest((_request, response) => {
    response.writeHead(426, { "content-length": "2" }).end("no");
  });
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  const upgrade = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`;
  visitor.send(upgrade);
  await visitor.until(/^HTTP\/1\.1 426 .*no$/s);
  visitor.send(upgrade);
  await visitor.until(/no.*426.*no$/s);
});

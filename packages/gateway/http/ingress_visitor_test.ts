import assert from "node:assert/strict";
import { connect as connectPlain } from "node:net";
import { hold } from "./flow.ts";
import { rawGuest } from "./testing/raw_guest.ts";
import { rawVisitor } from "./testing/raw_visitor.ts";
import { BASE_DOMAIN, serveIngress } from "./testing/serve_ingress.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const answersOk = (socket: { write(text: string): unknown }, received: string) => {
  if (received.includes("\r\n\r\n")) socket.write(OK);
};

Deno.test("what could be read in two ways is refused, and nothing behind it is read", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest(answersOk);
  const host = ingress.expose("app", guest.port);
  const hidden = `GET /hidden HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const post = (lines: string, body = "") =>
    `POST / HTTP/1.1\r\nHost: ${host}\r\n${lines}\r\n${body}${hidden}`;
  for (
    const attack of [
      post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
      post("Content-Length: 0\r\nContent-Length: 44\r\n"),
      post("Content-Length: 0, 44\r\n"),
      post("Content-Length: +0\r\n"),
      post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
      post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
      post("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n", "0\r\n\r\n"),
      post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
      post("X: y\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      post("Transfer-Encoding:\x0bchunked\r\n", "0\r\n\r\n"),
      post("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      post("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      post("X\0: y\r\n"),
      `GET / HTTP/1.1\nHost: ${host}\n\n${hidden}`,
      `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: other.${BASE_DOMAIN}\r\n\r\n${hidden}`,
      `GET https://other.${BASE_DOMAIN}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n${hidden}`,
      `GET / HTTP/1.1\r\n\r\n${hidden}`,
      `GET / HTTP/1.0\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n${hidden}`,
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      `\r\n\r\n${hidden}`,
    ]
  ) {
    using visitor = await rawVisitor(ingress, host);
    visitor.send(attack);
    const text = await visitor.closed();
    assert.match(text, /^HTTP\/1\.1 400 .*"code":"INVALID_REQUEST"/s, JSON.stringify(attack));
    assert.equal(text.match(/HTTP\/1\.1 \d{3} /g)?.length, 1, "one answer");
  }
  assert.deepEqual(guest.received, [], "the guest saw nothing of it");
});

Deno.test("a body that is malformed or of another length never becomes a request", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest(() => {});
  const host = ingress.expose("app", guest.port);
  const hidden = `GET /hidden HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  for (
    const body of [
      `1\na\r\n0\r\n\r\n${hidden}`,
      `0x1\r\na\r\n0\r\n\r\n${hidden}`,
      `5\r\nab${hidden}`,
    ]
  ) {
    using visitor = await rawVisitor(ingress, host);
    visitor.send(`POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
    await visitor.closed();
  }
  for (const text of guest.received) {
    assert.doesNotMatch(text.replace(/^5\r\nabGET.*$/s, ""), /\r\n\r\nGET \/hidden/);
  }
});

Deno.test("a head that is too large or too slow is refused", async () => {
  const limits = { gatewayHeadBytes: 4096, gatewayHeadTimeoutMs: 400, gatewayIdleMs: 300 };
  await using ingress = await serveIngress(limits);
  await using guest = await rawGuest(answersOk);
  const host = ingress.expose("app", guest.port);
  using large = await rawVisitor(ingress, host);
  large.send(`GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${"y".repeat(5000)}\r\n\r\n`);
  assert.match(await large.closed(), /^HTTP\/1\.1 431 .*4096 bytes/s);
  using slow = await rawVisitor(ingress, host);
  slow.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n`);
  const dripping = setInterval(() => slow.send("X: y\r\n"), 100);
  assert.match(await slow.closed(), /^HTTP\/1\.1 408 .*"REQUEST_TOO_SLOW"/s);
  clearInterval(dripping);
  using silent = await rawVisitor(ingress, host);
  assert.equal(await silent.closed(), "");
  using idle = await rawVisitor(ingress, host);
  idle.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  assert.match(await idle.closed(), /ok$/);
  using second = await rawVisitor(ingress, host);
  second.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await second.until(/ok$/);
  second.send("GET / HT");
  assert.match(await second.closed(), /ok.*408/s);
  assert.equal(guest.received.length > 0, true);
});

Deno.test("an upload that stands still is given up, one that moves is not", async () => {
  await using ingress = await serveIngress({ gatewayStallMs: 1_500 });
  await using guest = await rawGuest((socket, received) => {
    if (received.endsWith("END")) socket.write(OK);
  });
  const host = ingress.expose("app", guest.port);
  const head = `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 12\r\n\r\n`;
  using still = await rawVisitor(ingress, host);
  still.send(`${head}abc`);
  assert.match(await still.closed(), /^HTTP\/1\.1 408 /);
  using moving = await rawVisitor(ingress, host);
  moving.send(head);
  for (const part of ["abc", "def", "ghi", "END"]) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    moving.send(part);
  }
  assert.match(await moving.until(/ok$/), /^HTTP\/1\.1 200 /);
});

Deno.test("names: unknown, of SSH, of another connection, with odd spellings", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest(answersOk);
  const host = ingress.expose("app", guest.port);
  ingress.expose("shell", guest.port, { kind: "ssh" });
  const answer = async (servername: string, host: string) => {
    using visitor = await rawVisitor(ingress, servername);
    visitor.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    return (await visitor.until(/(ok|\})$/)).split(" ")[1];
  };
  for (const name of [host, host.toUpperCase(), `${host}:4443`, `${host}.`, `${host}.:1`]) {
    assert.equal(await answer(host, name), "200", name);
  }
  assert.equal(await answer(host, `other.${BASE_DOMAIN}`), "421");
  for (const label of ["nope", "shell", "a.app", "app.app", "constructor", "__proto__"]) {
    const name = `${label}.${BASE_DOMAIN}`;
    assert.equal(await answer(name, name), "404", name);
  }
  assert.equal(await answer(BASE_DOMAIN, BASE_DOMAIN), "404");
  assert.equal(guest.received.length > 0, true);
});

Deno.test("states of a sandbox and of its server have answers of their own", async () => {
  await using ingress = await serveIngress();
  const host = ingress.expose("app", 1);
  const answer = async (accept = "") => {
    using visitor = await rawVisitor(ingress, host);
    visitor.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n${accept}Connection: close\r\n\r\n`);
    return await visitor.closed();
  };
  assert.match(await answer(), /^HTTP\/1\.1 502 .*"PORT_NOT_LISTENING".*port 1 of/s);
  ingress.guest.exposed.set(host, ingress.guest.sandbox.agent.port);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const asked = ingress.guest.asked.length;
  assert.match(await answer(), /^HTTP\/1\.1 502 .*"PORT_NOT_LISTENING"/s, "the agent's own port");
  assert.ok(ingress.guest.asked.slice(asked).every((url) => url.startsWith("/exposed")));
  ingress.guest.exposed.set(host, 0);
  await answer();
  assert.match(await answer(), /^HTTP\/1\.1 502 .*process .* does not listen/s);
  ingress.guest.exposed.delete(host);
  assert.match(await answer(), /^HTTP\/1\.1 404 .*"EXPOSURE_NOT_FOUND"/s);
  ingress.guest.setState("creating");
  assert.match(await answer(), /^HTTP\/1\.1 503 .*Retry-After: 1\r\n.*"SANDBOX_STARTING"/s);
  ingress.guest.setState("stopping");
  assert.match(await answer(), /^HTTP\/1\.1 410 .*"SANDBOX_STOPPED"/s);
  const page = await answer("Accept: text/html,*/*\r\n");
  assert.match(page, /Content-Type: text\/html.*default-src 'none'.*<h1>.*ended/s);
});

Deno.test("the guest learns who visits, and not from the visitor's own headers", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest(answersOk);
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  visitor.send(
    `GET /p?q HTTP/1.1\r\nHOST: ${host}:99\r\nX-Forwarded-For: 6.6.6.6\r\nx-forwarded-proto: http\r\n` +
      "X-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-Prefix: /x\r\nX-Mine: yes\r\n" +
      "Connection: X-Hop, Content-Length, Host, Keep-Alive\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n" +
      "Proxy-Authorization: x\r\nProxy-Connection: x\r\nTE: trailers, gzip\r\nTrailer: x\r\n" +
      "Authorization: Bearer app\r\nCookie: a=1; b=2\r\nX-Paddock-Access: t\r\n\r\n",
  );
  await visitor.until(/ok$/);
  const [line, ...fields] = guest.received[0].split("\r\n");
  assert.equal(line, "GET /p?q HTTP/1.1");
  assert.deepEqual(fields, [
    `Host: ${host}:99`,
    "X-Mine: yes",
    "Authorization: Bearer app",
    "Cookie: a=1; b=2",
    "TE: trailers",
    "X-Forwarded-For: 127.0.0.1",
    `X-Forwarded-Host: ${host}:99`,
    "X-Forwarded-Port: 99",
    "X-Forwarded-Proto: https",
    "Connection: TE",
    "",
    "",
  ]);
});

Deno.test("the visitor gets the guest's headers without those of its connection", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest((socket) =>
    socket.write(
      "HTTP/1.1 201 So It Is\r\nSet-Cookie: a\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n" +
        "Set-Cookie: b\r\nKeep-Alive: timeout=5\r\nServer: \xe9\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n",
      "latin1",
    )
  );
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  visitor.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  assert.equal(
    await visitor.until(/\r\n\r\n/),
    "HTTP/1.1 201 So It Is\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nServer: \xe9\r\nContent-Length: 0\r\n\r\n",
  );
});

Deno.test("requests in a row on one connection are answered in their order", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest((socket, received) => {
    const [, path] = received.match(/GET (\S+)[^]*\r\n\r\n$/) ?? [];
    const last = received.slice(received.lastIndexOf("GET ")).split(" ")[1];
    if (!path) return;
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${last.length}\r\n\r\n${last}`;
    setTimeout(() => socket.write(answer), last === "/slow" ? 150 : 0);
  });
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  visitor.send(get("/slow") + get("/fast") + get("/last"));
  await visitor.until(/\/slow.*\/fast.*\/last/s);
});

Deno.test("plain HTTP at the TLS port gets an end, not a hang", async () => {
  await using ingress = await serveIngress({ gatewayHeadTimeoutMs: 1_000 });
  const socket = connectPlain(ingress.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await new Promise((resolve) => socket.on("close", resolve));
  const silent = connectPlain(ingress.port, "127.0.0.1");
  silent.on("error", () => {});
  silent.resume();
  await new Promise((resolve) => silent.on("close", resolve));
});

Deno.test("a sandbox has a bounded number of visitors at once", async () => {
  await using ingress = await serveIngress({ gatewayConnectionsPerSandbox: 2 });
  await using guest = await rawGuest(() => {});
  const host = ingress.expose("app", guest.port);
  using one = await rawVisitor(ingress, host);
  using two = await rawVisitor(ingress, host);
  using three = await rawVisitor(ingress, host);
  for (const visitor of [one, two]) visitor.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  while (guest.received.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  three.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  assert.match(await three.until(/\}$/), /^HTTP\/1\.1 503 .*"GATEWAY_BUSY"/s);
  one.socket.destroy();
  while (guest.sockets.every((socket) => !socket.destroyed)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  three.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  while (guest.received.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
});

Deno.test("requests that come all at once are read in their order, however many", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest((socket, received) => {
    if (!received.endsWith("\r\n\r\n")) return;
    const path = received.slice(received.lastIndexOf("GET ")).split(" ")[1];
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length + 1}\r\n\r\n${path};`);
  });
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  // Several times what is read at once, and every other one is answered by the gateway itself.
  const requests = Array.from(
    { length: 3_000 },
    (_, i) =>
      `GET /${i} HTTP/1.1\r\nHost: ${i % 2 === 0 ? host : "other.sandbox.test"}\r\n` +
      `X-Padding: ${"y".repeat(40)}\r\n\r\n`,
  );
  visitor.send(requests.join(""));
  visitor.send(`GET /last HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const text = await visitor.closed();
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status);
  assert.equal(statuses.length, 3_001);
  assert.ok(statuses.every((status, i) => status === (i % 2 === 0 ? "200" : "421")));
  const paths = [...text.matchAll(/\/(\d+);/g)].map(([, path]) => Number(path));
  assert.deepEqual(paths, Array.from({ length: 1_500 }, (_, i) => 2 * i));
});

Deno.test("a visitor that asks on and on and reads no answer is not read either", async () => {
  await using ingress = await serveIngress({ gatewayIdleMs: 1_000 });
  const host = ingress.expose("app", 1);
  using visitor = await rawVisitor(ingress, host);
  hold(visitor.socket);
  const request = "GET / HTTP/1.1\r\nHost: other.sandbox.test\r\n\r\n".repeat(1_000);
  // 64 MiB of requests would be 500 MiB of answers; it is cut off long before.
  let sent = 0;
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  visitor.socket.on("error", () => resolve());
  visitor.socket.on("close", () => resolve());
  const send = () => {
    while (sent < 64 << 20 && !visitor.socket.destroyed && visitor.socket.write(request)) {
      sent += request.length;
    }
    if (sent >= 64 << 20) resolve();
  };
  visitor.socket.on("drain", send);
  send();
  const late = setTimeout(resolve, 4_000);
  await closed;
  clearTimeout(late);
  assert.ok(sent < 64 << 20, `${sent} bytes of requests were read`);
});

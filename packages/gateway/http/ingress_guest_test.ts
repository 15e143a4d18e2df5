import assert from "node:assert/strict";
import { rawGuest } from "./testing/raw_guest.ts";
import { rawVisitor } from "./testing/raw_visitor.ts";
import { serveIngress } from "./testing/serve_ingress.ts";

const complete = (text: string) => text.includes("\r\n\r\n");
const get = (host: string, path = "/", more = "") =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;

/** What a visitor reads when the guest answers each request with these bytes, and then closes or not. */
async function visit(answer: string, end: boolean, method = "GET"): Promise<string> {
  await using ingress = await serveIngress({ gatewayResponseTimeoutMs: 400 });
  await using guest = await rawGuest((socket, received) => {
    if (!complete(received)) return;
    socket.write(answer, "latin1");
    if (end) socket.end();
  });
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  visitor.send(`${method} / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  return await visitor.closed();
}

Deno.test("a guest that answers garbage is a 502", async () => {
  for (
    const answer of [
      ...["SSH-2.0-OpenSSH_9.2\r\n\r\n", "\n\n\n\n", "HTTP/1.1 200 OK\n\nhello"],
      ...["HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
      `HTTP/1.1 200 OK\r\nX: ${"y".repeat(70_000)}\r\n\r\n`,
      "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100),
    ]
  ) {
    const text = await visit(answer, false);
    assert.match(
      text.slice(text.lastIndexOf("HTTP/1.1 ")),
      /^HTTP\/1\.1 502 .*"code":"GUEST_ANSWER_BROKEN"/s,
      JSON.stringify(answer.slice(0, 60)),
    );
  }
});

Deno.test("a guest that closes without an answer, or in the middle of its head, is a 502", async () => {
  for (const answer of ["", "HTTP/1.1 200 OK\r\nContent-Le"]) {
    assert.match(await visit(answer, true), /^HTTP\/1\.1 502 /);
  }
});

Deno.test("a guest that never answers is a 504, and says which limit", async () => {
  for (const answer of ["", "HTTP/1.1 200 OK\r\nX: y", "HTTP/1.1 100 Continue\r\n\r\n"]) {
    const text = await visit(answer, false);
    assert.match(text.slice(text.lastIndexOf("HTTP/1.1 ")), /^HTTP\/1\.1 504 .*within 0\.4 s/s);
  }
});

Deno.test("a guest that closes in the middle of a body: the visitor can tell", async () => {
  const chunked = await visit(
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
    true,
  );
  assert.match(chunked, /^HTTP\/1\.1 200 .*5\r\nhello/s);
  assert.doesNotMatch(chunked, /0\r\n\r\n$/, "no end is made up");
  const long = await visit("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", true);
  assert.match(long, /Content-Length: 10\r\n.*hello$/s);
  const broken = await visit("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false);
  assert.doesNotMatch(broken, /0\r\n\r\n$/);
});

Deno.test("an answer that ends with the connection is whole for a visitor that stays", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest((socket, received) => {
    if (complete(received)) socket.end("HTTP/1.0 200 OK\r\nX: y\r\n\r\nall of it");
  });
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  visitor.send(get(host) + get(host));
  const text = await visitor.until(/(9\r\nall of it\r\n0\r\n\r\n.*){2}/s);
  assert.match(text, /Transfer-Encoding: chunked/);
  assert.equal(guest.received.length, 2);
});

Deno.test("HEAD, 204 and 304 have no body, whatever the guest says", async () => {
  const head = await visit("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, "HEAD");
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n(.*\r\n)*Content-Length: 5\r\n(.*\r\n)*\r\n$/);
  const none = await visit("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", true);
  assert.match(none, /^HTTP\/1\.1 204 No Content\r\n/);
  assert.doesNotMatch(none, /content-length|transfer-encoding/i);
  const same = await visit(
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
    true,
  );
  assert.match(same, /^HTTP\/1\.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n/);
});

Deno.test("one visitor never reads what was meant for another", async () => {
  await using ingress = await serveIngress();
  // Each answer carries a second one along, in the hope that somebody else is given it.
  await using guest = await rawGuest((socket, received) => {
    if (complete(received)) {
      socket.write(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nonebla" +
          "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
      );
    }
  });
  const host = ingress.expose("app", guest.port);
  for (let i = 0; i < 4; i++) {
    using visitor = await rawVisitor(ingress, host);
    visitor.send(get(host));
    const text = await visitor.until(/one/);
    assert.doesNotMatch(text, /evil|bla/);
  }
  assert.equal(guest.received.length, 4, "no such connection is used again");
});

Deno.test("what a guest sends unasked on an idle connection reaches nobody", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest((socket, received, connection) => {
    if (!complete(received)) return;
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
    if (connection === 0) {
      setTimeout(() => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), 50);
    }
  });
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  visitor.send(get(host));
  await visitor.until(/good/);
  await new Promise((resolve) => setTimeout(resolve, 200));
  visitor.send(get(host));
  assert.doesNotMatch(await visitor.until(/good.*good/s), /evil/);
});

Deno.test("a kept connection that the guest just closed is not the visitor's problem", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest((socket, received) => {
    const requests = received.split("\r\n\r\n").length - 1;
    if (requests === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    // The second request on a connection finds it closed.
    else if (requests > 1) socket.destroy();
  });
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  for (let i = 1; i <= 3; i++) {
    visitor.send(get(host));
    const text = await visitor.until(new RegExp(`(ok.*){${i}}`, "s"));
    assert.doesNotMatch(text, /502/);
  }
  visitor.send(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n\r\n`);
  await visitor.until(/(ok.*){4}/s);
  const posts = guest.received.filter((text) => text.includes("POST"));
  assert.equal(posts.length, 1, "what cannot be repeated is sent once");
  assert.ok(posts[0].startsWith("POST"), "and on a connection of its own");
});

Deno.test("a guest's connections end with its sandbox, and visitors are told", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest((socket, received) => {
    if (received.startsWith("GET /stream") && complete(received)) {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    }
    if (received.startsWith("GET /socket") && complete(received)) {
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhi",
      );
    }
  });
  const host = ingress.expose("app", guest.port);
  using waiting = await rawVisitor(ingress, host);
  using streaming = await rawVisitor(ingress, host);
  using socket = await rawVisitor(ingress, host);
  waiting.send(get(host, "/never"));
  streaming.send(get(host, "/stream"));
  socket.send(get(host, "/socket", "Connection: Upgrade\r\nUpgrade: x\r\n"));
  await Promise.all([streaming.until(/1\r\na/), socket.until(/hi$/)]);
  ingress.guest.end();
  assert.match(await waiting.until(/\}$/), /^HTTP\/1\.1 410 .*SANDBOX_STOPPED/s);
  assert.doesNotMatch(await streaming.closed(), /0\r\n\r\n$/);
  await socket.closed();
  using later = await rawVisitor(ingress, host);
  later.send(get(host));
  assert.match(await later.until(/\}$/), /^HTTP\/1\.1 410 /);
  ingress.sandboxes.clear();
  later.send(get(host));
  assert.match(await later.until(/\}.*\}$/s), /410.*410/s);
});

Deno.test("a sandbox that is stopping ends its visits before its machine is gone", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest(() => {});
  const host = ingress.expose("app", guest.port);
  using visitor = await rawVisitor(ingress, host);
  visitor.send(get(host));
  while (guest.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  ingress.guest.setState("stopping");
  assert.match(await visitor.until(/\}$/), /^HTTP\/1\.1 410 /);
});

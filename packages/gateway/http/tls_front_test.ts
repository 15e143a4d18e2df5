import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";
import { createSecureContext } from "node:tls";
import { silentLog } from "@paddock/driver";
import { defaultLimits } from "@paddock/protocol";
import { issueCertificate, makeAuthority } from "../tls/issue_certificate.ts";
import { rawGuest } from "./testing/raw_guest.ts";
import { rawVisitor } from "./testing/raw_visitor.ts";
import { serveIngress } from "./testing/serve_ingress.ts";
import { TlsFront } from "./tls_front.ts";

const answersOk = (socket: { write(text: string): unknown }, received: string) => {
  if (received.includes("\r\n\r\n")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
};

Deno.test("more connections than allowed are closed, and the others served", async () => {
  await using ingress = await serveIngress({ gatewayConnections: 2 });
  await using guest = await rawGuest(answersOk);
  const host = ingress.expose("app", guest.port);
  const one = await rawVisitor(ingress, host);
  using two = await rawVisitor(ingress, host);
  await assert.rejects(rawVisitor(ingress, host));
  for (const visitor of [one, two]) {
    visitor.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await visitor.until(/ok$/);
  }
  one[Symbol.dispose]();
  for (let tries = 0;; tries++) {
    try {
      (await rawVisitor(ingress, host))[Symbol.dispose]();
      break;
    } catch (error) {
      if (tries === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
});

Deno.test("a session of HTTP/2 that asks for nothing, or never ends its head, is closed", async () => {
  await using ingress = await serveIngress({ gatewayIdleMs: 300 });
  const host = ingress.expose("app", 1);
  const { port, ca } = ingress;
  const session = connectHttp2(`https://${host}:${port}`, {
    createConnection: () =>
      connectTls({ host: "127.0.0.1", port, ca, servername: host, ALPNProtocols: ["h2"] }),
  });
  await new Promise((resolve) => session.once("close", resolve));
  const raw = connectTls({ host: "127.0.0.1", port, ca, servername: host, ALPNProtocols: ["h2"] });
  raw.on("error", () => {});
  raw.resume();
  // The preface, empty SETTINGS, and HEADERS of stream 1 that announce a CONTINUATION.
  raw.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  raw.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]));
  await new Promise((resolve) => raw.once("close", resolve));
});

Deno.test("names may have certificates of their own, and a renewed one is used at once", async () => {
  const until = new Date(Date.now() + 3_600_000);
  const authority = await makeAuthority("Test authority", until);
  const pairOf = (name: string) => issueCertificate(authority, [name], until);
  let pair = await pairOf("default.test");
  const own = await pairOf("own.test");
  const front = (byName: boolean) =>
    new TlsFront({
      ...{ limits: defaultLimits, log: silentLog, onVisit: () => {}, onBroken: () => {} },
      onFailed: () => {},
      defaultPair: () => pair,
      ...(byName && {
        secureContextFor: async (name: string) => {
          if (name === "fails.test") throw new Error("none");
          return createSecureContext(name === "own.test" ? own : pair);
        },
      }),
    });
  const shown = (port: number, servername: string) =>
    new Promise<string>((resolve) => {
      const socket = connectTls({ host: "127.0.0.1", port, servername, rejectUnauthorized: false });
      socket.on("error", () => resolve("none"));
      socket.on("secureConnect", () => {
        resolve(socket.getPeerCertificate().subjectaltname ?? "");
        socket.destroy();
      });
    });
  const byName = front(true);
  const namePort = await byName.listen("127.0.0.1", 0);
  assert.equal(await shown(namePort, "own.test"), "DNS:own.test");
  assert.equal(await shown(namePort, "other.test"), "DNS:default.test");
  assert.equal(await shown(namePort, "fails.test"), "none");
  const one = front(false);
  const onePort = await one.listen("127.0.0.1", 0);
  assert.equal(await shown(onePort, "own.test"), "DNS:default.test");
  pair = await pairOf("renewed.test");
  one.tick(0);
  assert.equal(await shown(onePort, "own.test"), "DNS:renewed.test");
  await assert.rejects(front(false).listen("127.0.0.1", onePort), { code: "ADDRESS_IN_USE" });
  const stopped = [byName.stop(), one.stop()];
  byName.destroy();
  one.destroy();
  await Promise.all(stopped);
});

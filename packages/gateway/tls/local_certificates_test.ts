import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import { PaddockError } from "@paddock/protocol";
import { openLocalCertificates } from "./local_certificates.ts";

const DAY_MS = 24 * 60 * 60_000;

function folder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), "paddock-tls-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

function collector() {
  const lines: string[] = [];
  const write = (message: string) => void lines.push(message);
  return { lines, log: { info: write, warn: write, error: write } };
}

async function pairOf(directory: string, domain = "sandbox.localhost", now?: () => number) {
  const { log, lines } = collector();
  await using certificates = await openLocalCertificates({ directory, domain, log, now });
  return { ...certificates.defaultPair(), ca: certificates.ca!, lines };
}

/** Whether a client of TLS that trusts the authority takes the certificate for this name. */
async function isTrusted(
  { cert, key, ca }: { cert: string; key: string; ca: string },
  servername: string,
): Promise<boolean> {
  const server = createServer({ cert, key }, (socket) => socket.end("hello")).listen(
    0,
    "127.0.0.1",
  );
  server.on("tlsClientError", () => {});
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect({ host: "127.0.0.1", port, servername, ca: readFileSync(ca, "utf8") });
  try {
    await once(socket, "secureConnect");
    return socket.authorized;
  } catch (error) {
    assert.match(String(error), /[Cc]ertificate|NotValidForName/);
    return false;
  } finally {
    socket.destroy();
    server.close();
  }
}

Deno.test("the first start makes an authority and a certificate, the next uses them", async () => {
  using directory = folder();
  const first = await pairOf(directory.path);
  const authority = new X509Certificate(readFileSync(first.ca));
  const own = new X509Certificate(first.cert);
  assert.equal(first.ca, join(directory.path, "ca.pem"));
  assert.ok(authority.ca && !own.ca);
  assert.ok(own.verify(authority.publicKey) && own.checkIssued(authority));
  assert.deepEqual(
    await Promise.all(
      ["sandbox.localhost", "x.sandbox.localhost", "x.y.sandbox.localhost", "x.test"]
        .map((name) => isTrusted(first, name)),
    ),
    [true, true, false, false],
  );
  assert.equal(own.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
  const years = (Date.parse(authority.validTo) - Date.now()) / (365 * DAY_MS);
  assert.ok(years > 9.9 && years < 10.1);
  const modes = readdirSync(directory.path).sort()
    .map((name) => `${name} ${(statSync(join(directory.path, name)).mode & 0o777).toString(8)}`);
  assert.deepEqual(modes, ["ca-key.pem 600", "ca.pem 644", "certificate.pem 600"]);
  const second = await pairOf(directory.path);
  assert.deepEqual([second.cert, second.key, second.lines], [first.cert, first.key, []]);
});

Deno.test("a certificate is replaced before it expires, and for another base domain", async () => {
  using directory = folder();
  const first = await pairOf(directory.path);
  const later = await pairOf(directory.path, undefined, () => Date.now() + 59 * DAY_MS);
  assert.equal(later.cert, first.cert);
  const renewed = await pairOf(directory.path, undefined, () => Date.now() + 61 * DAY_MS);
  assert.notEqual(renewed.cert, first.cert);
  const other = await pairOf(directory.path, "preview.example.org");
  assert.ok(await isTrusted(other, "x.preview.example.org"));
  assert.equal(readFileSync(other.ca, "utf8"), readFileSync(first.ca, "utf8"));
});

Deno.test("a running node renews too, and goes on with the old one when it cannot", async () => {
  using directory = folder();
  const { log, lines } = collector();
  let now = Date.now();
  await using certificates = await openLocalCertificates({
    directory: directory.path,
    domain: "sandbox.localhost",
    log,
    now: () => now,
    lookEveryMs: 5,
  });
  const before = certificates.defaultPair();
  const context = certificates.secureContextFor("x.sandbox.localhost");
  const until = async (message: RegExp) => {
    const deadline = Date.now() + 10_000;
    while (!lines.some((line) => message.test(line))) {
      assert.ok(Date.now() < deadline, `${message} in ${lines}`);
      await new Promise((again) => setTimeout(again, 5));
    }
  };
  const path = join(directory.path, "certificate.pem");
  rmSync(path);
  Deno.mkdirSync(path);
  now += 65 * DAY_MS;
  await until(/cannot renew/);
  assert.equal(certificates.defaultPair().cert, before.cert);
  rmSync(path, { recursive: true });
  await until(/renewed/);
  assert.notEqual(certificates.defaultPair().cert, before.cert);
  assert.notEqual(certificates.secureContextFor(undefined), context);
});

Deno.test("a half-written certificate is replaced", async () => {
  using directory = folder();
  const first = await pairOf(directory.path);
  const path = join(directory.path, "certificate.pem");
  writeFileSync(path, readFileSync(path).subarray(0, 300));
  const second = await pairOf(directory.path);
  assert.notEqual(second.cert, first.cert);
  assert.match(second.lines.join(), /damaged/);
});

Deno.test("an authority that others may trust already is never replaced silently", async (test) => {
  const cases: [string, (directory: string) => void, RegExp][] = [
    ["key lost", (at) => rmSync(join(at, "ca-key.pem")), /cannot be read/],
    ["half a key", (at) => writeFileSync(join(at, "ca-key.pem"), "-----BEGIN"), /damaged/],
    ["half a certificate", (at) => writeFileSync(join(at, "ca.pem"), "-----BEGIN"), /damaged/],
    ["no authority", (at) => {
      const text = readFileSync(join(at, "certificate.pem"), "utf8");
      const cut = text.indexOf("-----BEGIN CERT");
      writeFileSync(join(at, "ca.pem"), text.slice(cut));
      writeFileSync(join(at, "ca-key.pem"), text.slice(0, cut));
    }, /not a certificate authority/],
    ["another's key", (at) => {
      const text = readFileSync(join(at, "certificate.pem"), "utf8");
      writeFileSync(join(at, "ca-key.pem"), text.slice(0, text.indexOf("-----BEGIN CERT")));
    }, /another certificate's/],
  ];
  for (const [name, harm, message] of cases) {
    await test.step(name, async () => {
      using directory = folder();
      await pairOf(directory.path);
      harm(directory.path);
      await assert.rejects(pairOf(directory.path), (error: unknown) => {
        assert.ok(error instanceof PaddockError);
        assert.equal(error.code, "INVALID_SERVER_CONFIG");
        assert.match(error.message, message);
        assert.match(error.hint!, /remove both/);
        return true;
      });
    });
  }
  await test.step("expired", async () => {
    using directory = folder();
    await pairOf(directory.path);
    const inElevenYears = () => Date.now() + 11 * 365 * DAY_MS;
    await assert.rejects(pairOf(directory.path, undefined, inElevenYears), /expired/);
  });
});

Deno.test("a start that ended between key and certificate begins again", async () => {
  using directory = folder();
  writeFileSync(join(directory.path, "ca-key.pem"), "half a ke");
  const { ca, cert } = await pairOf(directory.path);
  assert.ok(new X509Certificate(cert).verify(new X509Certificate(readFileSync(ca)).publicKey));
});

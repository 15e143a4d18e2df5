import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer as createTlsServer } from "node:tls";
import acme from "acme-client";
import type { AcmeTlsConfig } from "../gateway_config.ts";
import { openAcmeCertificates } from "./acme_certificates.ts";
import type { Certificates } from "./certificates.ts";
import { issueCertificate, makeAuthority } from "./issue_certificate.ts";

// Against Pebble, the ACME authority that its makers test clients with: it speaks the protocol whole,
// refuses a part of the nonces on purpose, and looks the challenges up itself.

const DOMAIN = "preview.paddock.test";

interface Authority extends AsyncDisposable {
  directoryUrl: string;
  /** PEM file: who signed the authority's own certificate. */
  trust: string;
  directory: string;
  /** Where Pebble looks for HTTP-01. */
  httpPort: number;
  /** Where records of its name server are set. */
  dnsApi: string;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function startPebble(): Promise<Authority> {
  for (let attempt = 1;; attempt++) {
    try {
      return await tryToStart();
    } catch (error) {
      // Another program may take a port between our look and its use.
      if (attempt === 3) throw error;
      console.log(`    Pebble is started again: ${(error as Error).message}`);
    }
  }
}

async function tryToStart(): Promise<Authority> {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "paddock-acme-"));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const [api, management, httpPort, dns, dnsManagement] = await Promise.all(
    Array.from({ length: 5 }, freePort),
  );
  const hour = new Date(Date.now() + 3_600_000);
  const authority = await makeAuthority("Test", hour);
  const { cert, key } = await issueCertificate(authority, ["localhost"], hour);
  const at = (name: string, content: string) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const trust = at("trust.pem", authority.cert);
  const config = at(
    "pebble.json",
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${api}`,
        managementListenAddress: `127.0.0.1:${management}`,
        certificate: at("pebble-cert.pem", cert),
        privateKey: at("pebble-key.pem", key),
        httpPort,
        tlsPort: 1,
        ocspResponderURL: "",
      },
    }),
  );
  const names = run(stack, "pebble-challtestsrv", [
    ...["-dns01", `127.0.0.1:${dns}`, "-management", `127.0.0.1:${dnsManagement}`],
    ...["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""],
  ]);
  const pebble = run(stack, "pebble", [
    ...["-strict", "-config", config, "-dnsserver", `127.0.0.1:${dns}`],
  ]);
  await untilListening(api, pebble);
  await untilListening(dns, names);
  await untilListening(dnsManagement, names);
  const owned = stack.move();
  return {
    directoryUrl: `https://localhost:${api}/dir`,
    trust,
    directory,
    httpPort,
    dnsApi: `http://127.0.0.1:${dnsManagement}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Running {
  ended: boolean;
}

function run(stack: AsyncDisposableStack, program: string, args: string[]): Running {
  const child = new Deno.Command(program, {
    args,
    env: { PEBBLE_VA_NOSLEEP: "1", PEBBLE_AUTHZREUSE: "0" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const running: Running = { ended: false };
  child.status.then(() => running.ended = true);
  stack.defer(async () => {
    if (!running.ended) child.kill("SIGKILL");
    await child.status;
  });
  return running;
}

async function untilListening(port: number, program: Running): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (program.ended) throw new Error(`what should listen on port ${port} has ended`);
      if (Date.now() > deadline) throw error;
      await new Promise((again) => setTimeout(again, 50));
    }
  }
}

/** What the library did last, for a failure that has to be understood. */
const steps: string[] = [];
acme.setLogger((line) => void steps.push(line));

async function until<T>(what: () => string, look: () => T | undefined): Promise<T> {
  // Between two looks at an order the library waits for up to ten seconds.
  const deadline = Date.now() + 120_000;
  for (;;) {
    const found = look();
    if (found) return found;
    assert.ok(Date.now() < deadline, `no ${what()}:\n${steps.slice(-30).join("\n")}`);
    await new Promise((again) => setTimeout(again, 50));
  }
}

function collector() {
  const lines: { message: string; fields: Record<string, unknown> }[] = [];
  const write = (message: string, fields = {}) => void lines.push({ message, fields });
  return { lines, log: { info: write, warn: write, error: write } };
}

/** The certificate that a visitor who asks for `servername` is shown. */
async function shownTo(certificates: Certificates, servername: string): Promise<X509Certificate> {
  const server = createTlsServer({
    ...certificates.defaultPair(),
    SNICallback: (name, done) =>
      void Promise.resolve(certificates.secureContextFor(name)).then(
        (context) => done(null, context),
        done,
      ),
  }, (socket) => socket.end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect({ host: "127.0.0.1", port, servername, rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect");
    return new X509Certificate(socket.getPeerCertificate().raw);
  } finally {
    socket.destroy();
    server.close();
  }
}

function configOf(pebble: Authority, challenge: AcmeTlsConfig["challenge"]): AcmeTlsConfig {
  const { directoryUrl, trust } = pebble;
  return { mode: "acme", directoryUrl, trust, acceptTerms: true, challenge };
}

Deno.test("HTTP-01: a certificate for each name that was given, kept over a restart", async () => {
  await using pebble = await startPebble();
  const directory = join(pebble.directory, "gateway");
  const { log, lines } = collector();
  const listen = { host: "127.0.0.1", port: pebble.httpPort };
  const acme = configOf(pebble, { type: "http-01", listen });
  const known = new Set(["shop"]);
  const open = () =>
    openAcmeCertificates({
      ...{ acme, directory, domain: DOMAIN, log },
      isKnown: (label) => known.has(label),
      signal: new AbortController().signal,
    });
  const got = (name: string) =>
    until(
      () => `certificate for ${name} in ${JSON.stringify(lines)}`,
      () => lines.find((line) => line.message === "got a certificate" && line.fields.name === name),
    );
  let serial: string;
  {
    await using certificates = await open();
    assert.equal(certificates.ca, null);
    assert.match(
      (await shownTo(certificates, "elsewhere.example.org")).issuer,
      /Paddock on /,
      "a stopgap until the authority has answered",
    );
    const shop = await shownTo(certificates, `shop.${DOMAIN}`);
    await got(DOMAIN);
    await got(`shop.${DOMAIN}`);
    assert.match(shop.issuer, /Pebble/);
    assert.equal(shop.subjectAltName, `DNS:shop.${DOMAIN}`);
    serial = shop.serialNumber;
    const stranger = await shownTo(certificates, `never-given.${DOMAIN}`);
    assert.equal(stranger.subjectAltName, `DNS:${DOMAIN}`, "none is asked for a stranger's name");
    known.add("blog");
    certificates.prepare!("blog");
    await got(`blog.${DOMAIN}`);
    const other = await fetch(`http://127.0.0.1:${pebble.httpPort}/.well-known/acme-challenge/x`);
    await other.body?.cancel();
    assert.equal(other.status, 404);
  }
  const folder = join(directory, "acme");
  for (const file of readdirSync(folder)) {
    assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
  }
  const orders = lines.length;
  known.delete("blog");
  await using again = await open();
  assert.equal((await shownTo(again, `shop.${DOMAIN}`)).serialNumber, serial);
  assert.equal(lines.length, orders, "nothing new was asked for");
  const names = readdirSync(folder).sort();
  assert.deepEqual(names, [
    "account-key.pem",
    `cert-${DOMAIN}.pem`,
    `cert-shop.${DOMAIN}.pem`,
  ], "a name that was withdrawn is forgotten");
});

Deno.test("DNS-01: the operator's command sets the records of one wildcard certificate", async () => {
  await using pebble = await startPebble();
  const directory = join(pebble.directory, "gateway");
  const calls = join(pebble.directory, "calls");
  // The stand-in for a zone: Pebble's own test name server, told over HTTP.
  const hook = join(pebble.directory, "hook.sh");
  writeFileSync(
    hook,
    `#!/bin/sh -e
     printf '%s %s %s\\n' "$1" "$2" "$3" >> ${calls}
     if [ "$1" = set ]; then
       curl -sf -d '{"host":"'"$2"'.","value":"'"$3"'"}' ${pebble.dnsApi}/set-txt
     else
       curl -sf -d '{"host":"'"$2"'."}' ${pebble.dnsApi}/clear-txt
     fi`,
    { mode: 0o755 },
  );
  const { log, lines } = collector();
  const acme = configOf(pebble, { type: "dns-01", hook: [hook], hookTimeoutMs: 20_000 });
  await using certificates = await openAcmeCertificates({
    ...{ acme, directory, domain: DOMAIN, log, isKnown: () => false },
    signal: new AbortController().signal,
  });
  await until(
    () => `certificate in ${JSON.stringify(lines)}`,
    () => lines.find((line) => line.message === "got a certificate"),
  );
  const shown = await shownTo(certificates, `anything.${DOMAIN}`);
  assert.match(shown.issuer, /Pebble/);
  assert.deepEqual(shown.subjectAltName?.split(", ").sort(), [`DNS:*.${DOMAIN}`, `DNS:${DOMAIN}`]);
  const called = readFileSync(calls, "utf8").trim().split("\n").map((line) => line.split(" "));
  assert.deepEqual(called.map(([action]) => action), ["set", "set", "clear", "clear"]);
  assert.ok(called.every(([, name]) => name === `_acme-challenge.${DOMAIN}`));
});

Deno.test("an order that fails is told, repeated later, and does not keep the gateway", async () => {
  await using pebble = await startPebble();
  const directory = join(pebble.directory, "gateway");
  const { log, lines } = collector();
  const hook = ["sh", "-c", "echo no such zone >&2; exit 3"];
  const acme = configOf(pebble, { type: "dns-01", hook, hookTimeoutMs: 20_000 });
  await using certificates = await openAcmeCertificates({
    ...{ acme, directory, domain: DOMAIN, log, isKnown: () => false, firstRetryMs: 100 },
    signal: new AbortController().signal,
  });
  const failures = () => lines.filter((line) => line.message === "got no certificate");
  await until(() => "second failure", () => failures().length >= 2);
  assert.match(String(failures()[0].fields.error), /ended with status 3: no such zone/);
  assert.deepEqual(failures().slice(0, 2).map(({ fields }) => fields.retryMs), [100, 200]);
  assert.match((await shownTo(certificates, `x.${DOMAIN}`)).issuer, /Paddock on /);
});

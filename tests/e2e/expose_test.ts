import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { ApiError, Sandbox } from "@paddock/sandbox";
import { issueCertificate, makeAuthority } from "../../packages/gateway/tls/issue_certificate.ts";
import { repository, run, startServer, type TestServer, until } from "../harness.ts";
import { visit } from "../visitor.ts";

// What owners do with addresses. The published clients' side is tests/compat, that of visitors
// tests/gateway and tests/e2e/preview_test.ts.

const launcher = `${repository}/packages/cli/bin/paddock.mjs`;
const RANDOM = /^https:\/\/[0-9a-hjkmnp-tv-z]{26}\.sandbox\.localhost:\d+$/;

function clientOf({ api, token }: TestServer) {
  return { endpoint: api, token };
}

async function serving(server: TestServer, timeout: "10m" | "session" = "10m") {
  const sandbox = await Sandbox.create({ ...clientOf(server), timeout });
  const program = await sandbox.createJsRuntime({
    code: `Deno.serve({ hostname: "127.0.0.1", port: 3000 }, (request) =>
      Response.json([request.url, ...request.headers.keys()]));`,
    stderr: "null",
  });
  assert.equal(await program.httpReady, true);
  return sandbox;
}

Deno.test("the owner's side of preview URLs", async (t) => {
  await using server = await startServer();
  const ca = server.ca!;
  const status = async (url: string, init?: RequestInit) => (await visit(url, ca, init)).status;
  await using sandbox = await serving(server);

  await t.step("the ready file names address and authority; keys are root's alone", async () => {
    assert.match(server.ingress!, /^https:\/\/sandbox\.localhost:\d+$/);
    assert.equal(ca, `${server.dataDir}/gateway/ca.pem`);
    assert.ok(new X509Certificate(await readFile(ca)).ca);
    for (const name of ["ca-key.pem", "certificate.pem", "link_key", "ssh_host_ed25519_key"]) {
      const { mode } = await stat(`${server.dataDir}/gateway/${name}`);
      assert.equal(mode & 0o777, 0o600, name);
    }
    assert.match(await server.log(), /serving preview URLs/);
  });

  await t.step("a chosen name, once on the node, and moved by its owner", async () => {
    const url = await sandbox.exposeHttp({ port: 3000, name: "shop" });
    assert.equal(url, server.ingress!.replace("https://", "https://shop."));
    assert.equal(await status(url), 200);
    await using other = await Sandbox.create(clientOf(server));
    await assert.rejects(
      other.exposeHttp({ port: 3000, name: "shop" }),
      (error: unknown) => error instanceof ApiError && error.code === "NAME_TAKEN",
    );
    await sandbox.exposeHttp({ port: 3001, name: "shop" });
    // The gateway knows for seconds where a name leads.
    await until("the name to lead to another port", 20_000, async () => await status(url) === 502);
  });

  await t.step("a protected address: token, signed link, an expired one, another's", async () => {
    const exposure = await sandbox.expose({ port: 3000, access: "protected" });
    const { url, token } = exposure;
    assert.match(url, RANDOM);
    assert.equal(await status(url), 401);
    assert.equal(await status(url, { headers: { "x-paddock-access": "wrong" } }), 403);
    const shown = await visit(url, ca, { headers: { "x-paddock-access": token! } });
    assert.equal(shown.status, 200);
    assert.ok(!(await shown.text()).includes("paddock"), "the guest does not see the token");
    const link = await exposure.signLink({ expiresIn: "1h" });
    assert.ok(Math.abs(link.expiresAt.getTime() - Date.now() - 3_600_000) < 60_000);
    const manual = { redirect: "manual" } as const;
    const opened = await visit(link.url, ca, manual);
    assert.equal(opened.status, 303);
    const cookie = opened.headers.get("set-cookie")!.split(";")[0];
    assert.equal(await status(url, { headers: { cookie } }), 200);
    const second = await sandbox.expose({ port: 3000, access: "protected" });
    const { search } = new URL(link.url);
    assert.equal(
      await status(`${second.url}/${search}`, manual),
      403,
      "a link opens its own alone",
    );
    const soon = await exposure.signLink({ expiresIn: "1s" });
    const wait = soon.expiresAt.getTime() - Date.now();
    await new Promise((resolve) => setTimeout(resolve, wait + 50));
    assert.equal(await status(soon.url, manual), 403, "it has expired");
    const records = await readFile(`${server.dataDir}/paddock.db`, "latin1") +
      await readFile(`${server.dataDir}/paddock.db-wal`, "latin1").catch(() => "");
    assert.ok(!records.includes(token!), "the token itself is nowhere on disk");
    assert.ok(records.includes(createHash("sha256").update(token!).digest("hex")));
  });

  await t.step("a name that moved does not take its links along", async () => {
    const first = await sandbox.expose({ port: 3000, name: "moves", access: "protected" });
    const { search } = new URL((await first.signLink({ expiresIn: "1h" })).url);
    const second = await sandbox.expose({ port: 3000, name: "moves", access: "protected" });
    assert.equal(second.url, first.url);
    assert.equal(await status(`${second.url}/${search}`, { redirect: "manual" }), 403);
    assert.equal(await status(second.url, { headers: { "x-paddock-access": first.token! } }), 403);
    assert.equal(await status(second.url, { headers: { "x-paddock-access": second.token! } }), 200);
  });

  await t.step("withdrawn: the visitor finds nothing, the name is free", async () => {
    const exposure = await sandbox.expose({ port: 3000, name: "leaves" });
    assert.equal(await status(exposure.url), 200);
    await exposure.withdraw();
    assert.equal(await status(exposure.url), 404);
    await using other = await Sandbox.create(clientOf(server));
    await other.expose({ port: 3000, name: "leaves" });
    assert.deepEqual((await other.exposures()).map(({ name }) => name), ["leaves"]);
    await other.withdraw("leaves");
    assert.deepEqual(await other.exposures(), []);
  });

  await t.step("another organisation's token reaches none of it", async () => {
    const token = await server.createToken("strangers");
    const headers = { authorization: `Bearer ${token}` };
    const path = `${server.api}/api/v3/sandbox/${sandbox.id}`;
    const domain = new URL(await sandbox.exposeHttp({ port: 3000, name: "mine" })).host;
    const asks: [string, string, unknown?][] = [
      ["POST", "/expose/http", {}],
      ["POST", "/expose/ssh", {}],
      ["POST", "/expose/http/link", { domain, expires_in: 60 }],
      ["GET", "/exposures"],
      ["DELETE", "/exposures/mine"],
    ];
    for (const [method, rest, body] of asks) {
      const answer = await fetch(
        path + rest,
        { method, headers, body: body && JSON.stringify(body) } as RequestInit,
      );
      await answer.body?.cancel();
      assert.equal(answer.status, 404, `${method} ${rest}`);
    }
    assert.equal(await status(`https://${domain}`), 200);
  });

  await t.step("the command line: expose, exposures, unexpose, ca", async () => {
    const paddock = (...args: string[]) => run("node", [launcher, ...args], { env: server.env });
    const plain = await paddock("expose", sandbox.id, "3000");
    assert.match(plain.stdout.trim(), RANDOM, plain.stderr);
    assert.equal(await status(plain.stdout.trim()), 200);
    const named = await paddock(
      "expose",
      sandbox.id,
      "3000",
      "--name",
      "cli",
      "--protected",
      "--json",
    );
    const { url, token, access } = JSON.parse(named.stdout);
    assert.equal(access, "protected");
    assert.equal(await status(url, { headers: { "x-paddock-access": token } }), 200);
    const link = await paddock("expose", sandbox.id, "3000", "--link", "10m");
    assert.equal(await status(link.stdout.trim(), { redirect: "manual" }), 303);
    const listed = await paddock("exposures", sandbox.id, "--json");
    assert.ok(JSON.parse(listed.stdout).some((item: { url: string }) => item.url === url));
    assert.match((await paddock("exposures", sandbox.id)).stdout, /^cli +http +protected/m);
    assert.equal((await paddock("unexpose", sandbox.id, "cli")).code, 0);
    assert.equal(await status(url), 404);
    const again = await paddock("unexpose", sandbox.id, "cli");
    assert.deepEqual(
      [again.code, /EXPOSURE_NOT_FOUND/.test(again.stderr)],
      [1, true],
      again.stderr,
    );
    const authority = await paddock("ca", "--data-dir", server.dataDir);
    assert.equal(authority.stdout, `${ca}\n`);
    const used = await run("curl", [
      "-s",
      "--cacert",
      authority.stdout.trim(),
      plain.stdout.trim(),
    ]);
    assert.deepEqual([used.code, JSON.parse(used.stdout)[0].includes("sandbox.localhost")], [
      0,
      true,
    ]);
  });
});

Deno.test("after a restart old addresses say that they have ended, and trust goes on", async () => {
  let old: string;
  let ca: string;
  let guarded: { url: string; token?: string };
  await using first = await startServer({ keepData: true });
  const args = ["--ingress-listen", `localhost:${new URL(first.ingress!).port}`];
  {
    const sandbox = await serving(first);
    old = await sandbox.exposeHttp({ port: 3000, name: "old" });
    guarded = await sandbox.expose({ port: 3000, access: "protected" });
    ca = await readFile(first.ca!, "utf8");
    assert.equal((await visit(old, first.ca!)).status, 200);
    await first.stop();
    await sandbox.close().catch(() => {});
  }
  await using second = await startServer({ dataDir: first.dataDir, args });
  assert.equal(second.ingress, first.ingress);
  assert.equal(await readFile(second.ca!, "utf8"), ca);
  assert.equal((await visit(old, second.ca!)).status, 410);
  const withToken = { headers: { "x-paddock-access": guarded.token! } };
  assert.equal((await visit(guarded.url, second.ca!, withToken)).status, 410);
  await using sandbox = await serving(second, "session");
  assert.equal(await sandbox.exposeHttp({ port: 3000, name: "old" }), old);
  assert.equal((await visit(old, second.ca!)).status, 200, "its owner gave it to another sandbox");
});

Deno.test("certificates from files: served as they are, and nothing starts with wrong ones", async () => {
  const directory = await mkdtemp("/tmp/paddock-test-files-");
  try {
    const hour = new Date(Date.now() + 3_600_000);
    const authority = await makeAuthority("Somebody else's", hour);
    const pair = await issueCertificate(authority, ["*.sandbox.localhost"], hour);
    const at = async (name: string, content: string) => {
      await writeFile(`${directory}/${name}`, content);
      return `${directory}/${name}`;
    };
    const tls = {
      mode: "files",
      cert: await at("cert.pem", pair.cert),
      key: await at("key.pem", pair.key),
    };
    const config = await at("config.json", JSON.stringify({ ingress: { tls } }));
    const trust = await at("ca.pem", authority.cert);
    {
      await using server = await startServer({ args: ["--config", config] });
      assert.equal(server.ca, null, "there is nobody of ours to trust");
      await using sandbox = await serving(server, "session");
      const url = await sandbox.exposeHttp({ port: 3000 });
      assert.equal((await visit(url, trust)).status, 200);
      const next = await makeAuthority("Somebody else's next", hour);
      const renewed = await issueCertificate(next, ["*.sandbox.localhost"], hour);
      await at("cert.pem", renewed.cert);
      await at("key.pem", renewed.key);
      const trustNext = await at("next.pem", next.cert);
      await until(
        "the new certificate",
        60_000,
        async () => (await visit(url, trustNext).catch(() => undefined))?.status === 200,
      );
      await assert.rejects(visit(url, trust));
    }
    await writeFile(`${directory}/key.pem`, authority.key);
    await assert.rejects(
      startServer({ args: ["--config", config] }),
      /ingress\.tls: .*cert\.pem.*the key is not the certificate's/,
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});

Deno.test("what is switched off is not there, and says so", async () => {
  const directory = await mkdtemp("/tmp/paddock-test-off-");
  try {
    const config = `${directory}/config.json`;
    await writeFile(
      config,
      JSON.stringify({ ingress: { enabled: false }, ssh: { enabled: false } }),
    );
    await using server = await startServer({ args: ["--config", config] });
    assert.deepEqual([server.ingress, server.ca], [null, null]);
    await using sandbox = await Sandbox.create(clientOf(server));
    for (const ask of [() => sandbox.exposeHttp({ port: 1 }), () => sandbox.exposeSsh()]) {
      await assert.rejects(
        ask,
        (error: unknown) => error instanceof ApiError && error.code === "SWITCHED_OFF",
      );
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

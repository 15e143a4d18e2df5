import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { delay, repository, run, startServer, until } from "../harness.ts";
import { leftovers, nothing, ownedResources } from "../owned_resources.ts";

const launcher = `${repository}/packages/cli/bin/paddock.mjs`;

/** `paddock serve` the way a user starts it: the Node launcher, which starts Deno. */
async function serve(args: string[] = [], env: Record<string, string> = {}) {
  const dataDir = await Deno.makeTempDir({ prefix: "paddock-cli-test-" });
  const readyFile = `${dataDir}/ready.json`;
  const child = spawn("node", [
    ...[launcher, "serve", "--listen", "127.0.0.1:0", "--data-dir", dataDir],
    ...["--ready-file", readyFile, ...args],
  ], { env: { ...Deno.env.toObject(), ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text) => output += text);
  child.stderr!.setEncoding("utf8").on("data", (text) => output += text);
  let ended = false;
  const exit = once(child, "close").then(([code, signal]) => {
    ended = true;
    return { code, signal, output };
  });
  const ready = async () =>
    await until(`the ready file; so far:\n${output}`, 120_000, async () => {
      if (ended) throw new Error(`serve ended: ${output}`);
      return await readFile(readyFile, "utf8").then(JSON.parse).catch(() => undefined);
    });
  return {
    dataDir,
    readyFile,
    child,
    exit,
    ready,
    async [Symbol.asyncDispose]() {
      if (!ended) child.kill("SIGKILL");
      // A killed launcher takes its server with it, but not at once.
      await until("the server's end", 30_000, async () => {
        const owned = await ownedResources(dataDir, -1);
        return ended && owned.processes.size === 0 && owned.mounts.size === 0;
      });
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}

Deno.test("serve writes its ready file, serves, and leaves nothing behind on SIGTERM", async () => {
  await using server = await serve();
  const ready = await server.ready();
  assert.deepEqual(
    ["api", "baseDomain", "ca", "ingress", "token"].filter((key) => !(key in ready)),
    [],
  );
  assert.match(ready.api, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.match(ready.token, /^ddo_/);
  assert.equal((await stat(server.readyFile)).mode & 0o777, 0o600);
  assert.equal((await fetch(`${ready.api}/health`)).status, 200);

  const env = { PADDOCK_ENDPOINT: ready.api, PADDOCK_TOKEN: ready.token };
  const created = await run("node", [launcher, "create"], { env });
  assert.equal(created.code, 0, created.stderr);
  const before = await ownedResources(server.dataDir, server.child.pid!);
  assert.ok(before.namespaces.size > 0 && before.processes.size > 1, "a sandbox should run");

  Deno.kill(server.child.pid!, "SIGTERM");
  const { code, signal, output } = await server.exit;
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, output);
  assert.ok(!output.includes(ready.token), "the token is in the log");
  await assert.rejects(stat(server.readyFile), { code: "ENOENT" });
  assert.deepEqual(await leftovers(before, server.dataDir), nothing);
});

Deno.test("a server whose launcher is killed stops by itself and leaves nothing behind", async () => {
  await using server = await serve();
  const ready = await server.ready();
  const env = { PADDOCK_ENDPOINT: ready.api, PADDOCK_TOKEN: ready.token };
  assert.equal((await run("node", [launcher, "create"], { env })).code, 0);
  const before = await ownedResources(server.dataDir, -1);
  server.child.kill("SIGKILL");
  await until("everything to be gone", 20_000, async () => {
    const left = await leftovers(before, server.dataDir);
    return Object.values(left).every((list) => list.length === 0);
  });
});

Deno.test("the address of a running server is refused with one clear line", async () => {
  await using first = await serve();
  const { api } = await first.ready();
  const dataDir = await Deno.makeTempDir({ prefix: "paddock-cli-test-" });
  try {
    const second = await run("node", [
      ...[launcher, "serve", "--listen", new URL(api).host, "--data-dir", dataDir],
    ]);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /^paddock: .*in use/m);
    const sameData = await run("node", [
      ...[launcher, "serve", "--listen", "127.0.0.1:0", "--data-dir", first.dataDir],
    ]);
    assert.equal(sameData.code, 1);
    assert.match(sameData.stderr, /DATA_DIR_IN_USE/);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

/** Runs a script in a mount namespace of its own, where /usr/bin has no runsc and no QEMU. */
const WITHOUT_MACHINES = `set -eu
mkdir -p "$0/upper" "$0/work"
for name in runsc qemu-system-x86_64; do mknod "$0/upper/$name" c 0 0; done
mount -t overlay overlay -o "lowerdir=/usr/bin,upperdir=$0/upper,workdir=$0/work" /usr/bin
exec "$@"`;

Deno.test("a host without runsc is refused, with what doctor says and how to mend it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "paddock-cli-test-" });
  const hidden = (...args: string[]) =>
    run("unshare", [
      ...["--mount", "--propagation", "private", "sh", "-c", WITHOUT_MACHINES],
      ...[folder, "node", launcher, ...args],
    ]);
  try {
    const data = ["--data-dir", `${folder}/data`];
    const serving = await hidden("serve", "--listen", "127.0.0.1:0", ...data);
    assert.equal(serving.code, 1, serving.stderr);
    assert.match(serving.stderr, /This host cannot run sandboxes/);
    assert.match(serving.stderr, /There is no runsc on this host/);
    await Deno.remove(`${folder}/upper`, { recursive: true });
    const doctor = await hidden("doctor", "--json");
    assert.equal(doctor.code, 1, doctor.stderr);
    const report = JSON.parse(doctor.stdout);
    assert.equal(report.ok, false);
    assert.ok(report.drivers.every((driver: { works: boolean }) => !driver.works));
    assert.ok(report.fixes.includes("npm run setup"), String(report.fixes));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("doctor finds this host able, in words and as JSON", async () => {
  const json = await run("node", [launcher, "doctor", "--json"]);
  assert.equal(json.code, 0, json.stdout);
  const report = JSON.parse(json.stdout);
  const gvisor = report.drivers.find((driver: { name: string }) => driver.name === "gvisor");
  assert.equal(gvisor.works, true);
  assert.ok(gvisor.version);
  const words = await run("node", [launcher, "doctor"]);
  assert.equal(words.code, 0);
  assert.match(words.stdout, /^gvisor +works/m);
  assert.ok(!words.stdout.includes("\x1b"));
});

Deno.test("tokens are made, listed and revoked beside a running server", async () => {
  await using server = await startServer();
  const token = (...args: string[]) =>
    run("node", [launcher, "token", ...args, "--data-dir", server.dataDir]);
  const made = await token("create", "--org", "acme", "--name", "laptop");
  assert.equal(made.code, 0, made.stderr);
  const secret = made.stdout.trim();
  assert.match(secret, /^ddo_\w+$/);
  const env = { PADDOCK_ENDPOINT: server.api, PADDOCK_TOKEN: secret };
  assert.equal((await run("node", [launcher, "ls"], { env })).code, 0);

  const listed = await token("ls", "--json");
  assert.ok(!listed.stdout.includes(secret));
  const { id } = JSON.parse(listed.stdout).find((it: { name: string }) => it.name === "laptop");
  assert.equal((await token("revoke", id.slice(0, 8))).code, 0);
  const refused = await run("node", [launcher, "ls", "--json"], { env });
  assert.equal(refused.code, 1);
  assert.equal(JSON.parse(refused.stderr).error.code, "INVALID_TOKEN");
  assert.equal((await token("revoke", "nobody")).code, 1);
});

Deno.test("a second signal stops at once with its own code, and the next start cleans up", async () => {
  await using first = await serve();
  const ready = await first.ready();
  const env = { PADDOCK_ENDPOINT: ready.api, PADDOCK_TOKEN: ready.token };
  const created = await Promise.all([1, 2].map(() => run("node", [launcher, "create"], { env })));
  assert.deepEqual(created.map(({ code }) => code), [0, 0]);
  const before = await ownedResources(first.dataDir, first.child.pid!);
  Deno.kill(first.child.pid!, "SIGINT");
  await delay(20);
  Deno.kill(first.child.pid!, "SIGTERM");
  const { code, output } = await first.exit;
  assert.equal(code, 143, output);
  assert.match(output, /the next start removes what is left/);

  const next = await startServer({ dataDir: first.dataDir, keepData: true });
  await next.stop();
  assert.deepEqual(await leftovers(before, first.dataDir), nothing);
});

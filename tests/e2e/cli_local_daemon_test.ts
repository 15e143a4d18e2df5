import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { repository, run, until } from "../harness.ts";
import { leftovers, ownedResources } from "../owned_resources.ts";

const launcher = `${repository}/packages/cli/bin/paddock.mjs`;

Deno.test("without an endpoint, programs share one local daemon, and stop ends it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "paddock-local-test-" });
  const readyFile = `${folder}/run/daemon.json`;
  const env = {
    PADDOCK_LOCAL_READY_FILE: readyFile,
    PADDOCK_DATA_DIR: `${folder}/data`,
    // Empty counts as unset: what the test's own environment names must not be used.
    PADDOCK_ENDPOINT: "",
    DENO_SANDBOX_ENDPOINT: "",
    DENO_DEPLOY_ENDPOINT: "",
    PADDOCK_LIMITS_DAEMON_LOG_BYTES: "100000",
  };
  const paddock = (...args: string[]) => run("node", [launcher, ...args], { env });
  const log = `${folder}/data/daemon.log`;
  const fill = () => Deno.writeTextFile(log, "x".repeat(100_000), { append: true, create: true });
  await Deno.mkdir(`${folder}/data`, { mode: 0o700 });
  await fill();
  try {
    const both = await Promise.all([paddock("eval", "6 * 7"), paddock("eval", "6 * 7")]);
    for (const { code, stdout, stderr } of both) {
      assert.deepEqual({ code, stdout }, { code: 0, stdout: "42\n" }, stderr);
    }
    const started = both.filter(({ stderr }) => stderr.includes("starting a local daemon"));
    assert.equal(started.length, 1, "exactly one of them starts it, and says so in one line");
    assert.equal(started[0].stderr.trim().split("\n").length, 1);
    assert.equal((await stat(readyFile)).mode & 0o777, 0o600);
    const { pid } = JSON.parse(await readFile(readyFile, "utf8"));

    const second = await paddock("serve", "--local");
    assert.equal(second.code, 1);
    assert.match(second.stderr, /runs already/);

    // A log that is full when the daemon starts, or while it runs, becomes the old one.
    assert.ok((await stat(log)).size < 100_000);
    await fill();
    await until(
      "a new log",
      30_000,
      () => stat(log).then(({ size }) => size < 100_000),
    );
    assert.match(await readFile(`${log}.1`, "utf8"), /serving[^]*x{100000}/);

    assert.equal((await paddock("create")).code, 0);
    const before = await ownedResources(folder, pid);
    const stopped = await paddock("stop", "--json");
    assert.deepEqual(JSON.parse(stopped.stdout), { stopped: true, pid });
    const left = await leftovers(before, folder);
    assert.ok(Object.values(left).every((list) => list.length === 0), JSON.stringify(left));
    await assert.rejects(stat(readyFile), { code: "ENOENT" });
    assert.deepEqual(JSON.parse((await paddock("stop", "--json")).stdout), {
      stopped: false,
      pid: null,
    });
  } finally {
    await paddock("stop");
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a signal to npx reaches the server, though a shell stands between them", async () => {
  const folder = await Deno.makeTempDir({ prefix: "paddock-npx-test-" });
  const readyFile = `${folder}/ready.json`;
  const npx = new Deno.Command("npx", {
    args: [
      ...["paddock", "serve", "--listen", "127.0.0.1:0", "--data-dir", `${folder}/data`],
      ...["--ready-file", readyFile],
    ],
    cwd: repository,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const { pid } = await until(
      "the ready file",
      120_000,
      () => readFile(readyFile, "utf8").then(JSON.parse).catch(() => undefined),
    );
    npx.kill("SIGTERM");
    await npx.status;
    await until(
      "the server's end",
      20_000,
      () => stat(`/proc/${pid}`).then(() => false, () => true),
    );
    await assert.rejects(stat(readyFile), { code: "ENOENT" });
    assert.equal((await ownedResources(folder, -1)).mounts.size, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

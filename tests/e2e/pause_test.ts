import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Client, Sandbox } from "@paddock/sandbox";
import { denoBinary, repository, run, runWith, startServer, until } from "../harness.ts";
import { leftovers, nothing } from "../owned_resources.ts";
import { visit } from "../visitor.ts";

Deno.test("pausing with our client library, on Deno and Node", async (t) => {
  await using server = await startServer();
  for (const runtime of ["deno", "node24"] as const) {
    await t.step(runtime, async () => {
      const file = fileURLToPath(new URL("pause.mjs", import.meta.url));
      const result = await runWith(runtime, file, [], { env: server.env, deadlineMs: 180_000 });
      assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
      assert.equal(result.stdout.match(/^ok /gm)?.length, 4, result.stdout);
    });
  }

  const options = { endpoint: server.api, token: server.token };
  const statusOf = async (id: string) =>
    (await new Client(options).sandboxes.list()).find((it) => it.id === id)?.status;

  await t.step("one that nobody is connected to is paused; a visitor resumes it", async () => {
    const sandbox = await Sandbox.create({ ...options, timeout: "5m", pauseAfterIdle: "2s" });
    const { id } = sandbox;
    await sandbox.deno.run({
      code: "let n = 0; Deno.serve({ port: 8000 }, () => new Response(`visit ${++n}`))",
    });
    const url = await sandbox.exposeHttp({ port: 8000 });
    const answer = async () => await (await visit(url, server.ca!)).text();
    assert.equal(await answer(), "visit 1");
    // Somebody is connected, so it is not idle.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assert.equal(await statusOf(id), "running");
    await sandbox.close();
    await until("it is paused", 20_000, async () => await statusOf(id) === "paused");
    const answers = await Promise.all([answer(), answer(), answer()]);
    assert.deepEqual(answers.sort(), ["visit 2", "visit 3", "visit 4"]);
    await until("it is paused again", 20_000, async () => await statusOf(id) === "paused");
    await using again = await Sandbox.connect(id, options);
    assert.equal(await again.sh`echo here`.text(), "here\n");
    await again.kill();
  });

  await t.step("the command line", async () => {
    const paddock = async (...args: string[]) => {
      const main = `${repository}/packages/cli/main.ts`;
      const all = ["run", "-A", "--no-lock", main, ...args];
      const result = await run(denoBinary, all, { env: server.env });
      assert.equal(result.code, 0, `${args.join(" ")}: ${result.stderr}`);
      return result.stdout.trim();
    };
    const id = await paddock("create", "--pause-after-idle", "1m");
    await paddock("exec", "-n", id, "--", "touch", "here");
    assert.equal(await paddock("pause", id), id);
    assert.match(await paddock("ls"), new RegExp(`${id} +paused`));
    assert.equal(await paddock("exec", "-n", id, "--", "ls", "here"), "here");
    await paddock("pause", id);
    assert.equal(await paddock("resume", id), id);
    assert.equal(await statusOf(id), "running");
    await paddock("kill", id);
  });

  await t.step("nothing is left", async () => {
    await until(
      "no checkpoint",
      10_000,
      async () => (await readdir(`${server.dataDir}/checkpoints`)).length === 0,
    );
    assert.doesNotMatch(await server.log(), /"level":"error"/);
  });
});

Deno.test("a paused sandbox outlives its server, and one that has gone is gone whole", async () => {
  let server = await startServer({ keepData: true });
  const { dataDir } = server;
  try {
    const { api, token } = server;
    const sandbox = await Sandbox.create({
      ...{ endpoint: api, token, timeout: "5m", env: { PLAN: "pro" }, labels: { kind: "kept" } },
    });
    const { id } = sandbox;
    const repl = await sandbox.repl();
    await repl.eval("let count = 1");
    const ended = await Sandbox.create({ endpoint: api, token, timeout: "5m" });
    await sandbox.pause();
    await sandbox.close();
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const owned = await server.owned();
      await server.stop(signal);
      if (signal === "SIGTERM") assert.deepEqual(await leftovers(owned, dataDir), nothing);
      server = await startServer({ dataDir, keepData: true });
      const options = { endpoint: server.api, token: server.token };
      const listed = await new Client(options).sandboxes.list();
      assert.deepEqual(listed.map((it) => [it.id, it.status]), [[id, "paused"]]);
      assert.deepEqual(listed[0].labels, { kind: "kept" });
      const again = await Sandbox.connect(id, options);
      const count = await (await again.attachRepl(repl.pid)).eval<number>("++count");
      assert.equal(count, signal === "SIGTERM" ? 2 : 3);
      assert.equal(await again.sh`echo $PLAN`.text(), "pro\n");
      await again.pause();
      await again.close();
    }
    await ended.close().catch(() => {});

    // A machine that has changed on the disk is not run.
    const checkpoints = `${dataDir}/checkpoints`;
    const [checkpoint] = await readdir(checkpoints);
    const machine = `${checkpoints}/${checkpoint}/machine`;
    const [file] = (await readdir(machine)).toSorted();
    using damaged = await Deno.open(`${machine}/${file}`, { write: true });
    await damaged.write(new TextEncoder().encode("damage"));
    await server.stop();
    server = await startServer({ dataDir, keepData: true });
    const options = { endpoint: server.api, token: server.token };
    const damage = (error: { code?: string }) => error.code === "CHECKPOINT_DAMAGED";
    await assert.rejects(Sandbox.connect(id, options), damage);
    await Deno.remove(`${checkpoints}/${checkpoint}`, { recursive: true });
    await server.stop();
    server = await startServer({ dataDir, keepData: true });
    const client = new Client({ endpoint: server.api, token: server.token });
    assert.deepEqual(await client.sandboxes.list(), []);
  } finally {
    await server.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
});

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Client, Sandbox } from "@paddock/sandbox";
import { denoBinary, repository, run, runWith, startServer } from "../harness.ts";

Deno.test("checkpoints with our client library and the command line", async (t) => {
  await using server = await startServer();
  for (const runtime of ["deno", "node24"] as const) {
    await t.step(runtime, async () => {
      const file = fileURLToPath(new URL("checkpoint.mjs", import.meta.url));
      const result = await runWith(runtime, file, [], { env: server.env, deadlineMs: 180_000 });
      assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
      assert.equal(result.stdout.match(/^ok /gm)?.length, 3, result.stdout);
    });
  }

  const paddock = async (...args: string[]) => {
    const main = `${repository}/packages/cli/main.ts`;
    const result = await run(denoBinary, ["run", "-A", "--no-lock", main, ...args], {
      env: server.env,
    });
    assert.equal(result.code, 0, `${args.join(" ")}: ${result.stderr}`);
    return result.stdout.trim();
  };
  const options = { endpoint: server.api, token: server.token };
  await t.step("the command line", async () => {
    const id = await paddock("create");
    await paddock("exec", "-n", id, "--", "touch", "here");
    const checkpoint = await paddock("checkpoint", "create", id, "made-here");
    assert.match(checkpoint, /^chk_/);
    assert.match(await paddock("checkpoint", "ls"), /made-here .*sbx_/);
    const made = await paddock("create", "--checkpoint", "made-here");
    assert.equal(await paddock("exec", "-n", made, "--", "ls", "here"), "here");
    const forks = (await paddock("fork", made, "-n", "2")).split("\n");
    assert.equal(forks.length, 2);
    const tree = await paddock("tree");
    for (const fork of forks) assert.match(tree, new RegExp(`^[├└]─ ${fork}`, "m"));
    await paddock("kill", "--all");
    await paddock("checkpoint", "rm", "made-here");
    assert.deepEqual(await new Client(options).checkpoints.list(), []);
  });

  await t.step("of another organisation there is none", async () => {
    await using sandbox = await Sandbox.create(options);
    const { id } = await sandbox.checkpoint({ name: "mine" });
    const other = { ...options, token: await server.createToken("other") };
    assert.deepEqual(await new Client(other).checkpoints.list(), []);
    assert.equal(await new Client(other).checkpoints.get(id), null);
    for (const checkpoint of [id, "mine"]) {
      await assert.rejects(
        Sandbox.create({ ...other, checkpoint }),
        (error: { code?: string }) => error.code === "CHECKPOINT_NOT_FOUND",
      );
    }
    await new Client(options).checkpoints.delete("mine");
  });
});

// Checkpoints with our client library. Prints one line for each step.
import assert from "node:assert/strict";
import { Client, Sandbox } from "@paddock/sandbox";

const step = async (name, work) => {
  await work();
  console.log(`ok ${name}`);
};
const client = new Client();
const code = (code) => (error) => error.code === code;

await step("a sandbox goes on from a checkpoint, as often as one likes", async () => {
  const original = await Sandbox.create({ labels: { kind: "original" }, env: { PLAN: "pro" } });
  const repl = await original.repl();
  // From here on its generators have a state, which the checkpoint has as well.
  await repl.eval("let count = 41; crypto.randomUUID()");
  await original.writeTextFile("file.txt", "kept");
  const checkpoint = await original.checkpoint({ name: "ready" });
  assert.equal(checkpoint.name, "ready");
  assert.equal(checkpoint.sandboxId, original.id);
  assert.deepEqual(checkpoint.labels, { kind: "original" });
  assert.ok(checkpoint.bytes > 0);
  assert.equal(await repl.eval("++count"), 42);
  await assert.rejects(original.checkpoint({ name: "ready" }), code("CHECKPOINT_NAME_TAKEN"));
  await assert.rejects(original.checkpoint({ name: "Not A Name" }), code("INVALID_REQUEST"));
  await original.kill();

  const made = await Promise.all([
    Sandbox.create({ checkpoint: "ready", labels: { kind: "made" } }),
    Sandbox.create({ checkpoint, timeout: "1m" }),
    client.sandboxes.create({ checkpoint: checkpoint.id }),
  ]);
  const drawn = new Set();
  for (const sandbox of made) {
    const there = await sandbox.attachRepl(repl.pid);
    assert.equal(await there.eval("++count"), 42);
    drawn.add(await there.eval("crypto.randomUUID()"));
    assert.equal(await sandbox.readTextFile("file.txt"), "kept");
    assert.equal(await sandbox.sh`echo $PLAN`.text(), "pro\n");
  }
  assert.equal(drawn.size, made.length);
  assert.deepEqual((await made[0].metadata()).labels, { kind: "made" });
  await Promise.all(made.map((it) => it.kill()));
});

await step("checkpoints are listed, found and deleted", async () => {
  const [found, ...more] = await client.checkpoints.list();
  assert.deepEqual(more, []);
  assert.equal(found.name, "ready");
  assert.deepEqual(await client.checkpoints.get("ready"), found);
  assert.deepEqual(await client.checkpoints.get(found.id), found);
  await client.checkpoints.delete("ready");
  assert.equal(await client.checkpoints.get(found.id), null);
  assert.deepEqual(await client.checkpoints.list(), []);
  await assert.rejects(client.checkpoints.delete("ready"), code("CHECKPOINT_NOT_FOUND"));
  await assert.rejects(Sandbox.create({ checkpoint: "ready" }), code("CHECKPOINT_NOT_FOUND"));
});

await step("what a checkpoint has itself is not asked for", async () => {
  await assert.rejects(
    Sandbox.create({ checkpoint: "ready", env: { A: "1" } }),
    (error) => error.code === "INVALID_CONFIG" && error.field === "env",
  );
});

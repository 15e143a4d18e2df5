// Pausing and resuming with our client library. Prints one line for each step.
import assert from "node:assert/strict";
import { Client, ConnectionClosedError, Sandbox } from "@paddock/sandbox";

const step = async (name, work) => {
  await work();
  console.log(`ok ${name}`);
};
const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const kind = crypto.randomUUID();
await step("all of a sandbox is there when it goes on", async () => {
  const sandbox = await Sandbox.create({
    timeout: "5m",
    labels: { kind },
    env: { PLAN: "pro" },
  });
  const repl = await sandbox.repl();
  await repl.eval("let count = 1");
  await sandbox.writeTextFile("file.txt", "before");
  await sandbox.env.set("LATER", "yes");
  const machineId = await sandbox.readTextFile("/etc/machine-id");
  const child = await sandbox.spawn("sh", { args: ["-c", "sleep 4; exit 7"], stdout: "null" });
  const before = await sandbox.metadata();
  assert.equal(before.pausedAt, null);

  const random = await sandbox.deno.eval("crypto.randomUUID()");
  await sandbox.pause();
  await sandbox.pause();
  const paused = await sandbox.metadata();
  assert.equal(paused.status, "paused");
  assert.ok(paused.pausedAt.getTime() >= before.createdAt.getTime());
  assert.deepEqual(paused.labels, { kind });
  const listed = await new Client().sandboxes.list({ labels: { kind } });
  assert.deepEqual(listed.map(({ id, status }) => [id, status]), [[sandbox.id, "paused"]]);
  await delay(2_000);
  assert.equal((await sandbox.metadata()).status, "paused", "metadata resumes nothing");

  // The first call resumes it.
  assert.equal(await (await sandbox.attachRepl(repl.pid)).eval("++count"), 2);
  assert.equal(await sandbox.readTextFile("file.txt"), "before");
  assert.equal(await sandbox.sh`echo $PLAN $LATER`.text(), "pro yes\n");
  assert.equal(await sandbox.readTextFile("/etc/machine-id"), machineId);
  assert.notEqual(await sandbox.deno.eval("crypto.randomUUID()"), random);
  const off = Date.now() - await sandbox.deno.eval("Date.now()");
  assert.ok(Math.abs(off) < 5_000, `its clock is ${off} ms off`);
  assert.deepEqual(await child.status, { success: false, code: 7, signal: null, oom: false });
  const after = await sandbox.metadata();
  assert.equal(after.status, "running");
  assert.equal(after.origin, "restored");
  assert.equal(after.pausedAt, null);
  assert.ok(after.stopAt - before.stopAt > 1_500, "its time stood still");
  await sandbox.kill();
});

await step("again and again, and asked for by several at once", async () => {
  const sandbox = await Sandbox.create({ timeout: "5m" });
  const repl = await sandbox.repl();
  await repl.eval("let count = 0");
  for (let round = 1; round <= 3; round++) {
    await sandbox.pause();
    if (round === 2) await sandbox.resume();
    const [others, count] = await Promise.all([
      Promise.all([1, 2, 3].map(async () => {
        await using other = await Sandbox.connect(sandbox.id);
        return await other.sh`echo here`.text();
      })),
      sandbox.attachRepl(repl.pid).then((it) => it.eval("++count")),
    ]);
    assert.equal(count, round);
    assert.deepEqual(others, ["here\n", "here\n", "here\n"]);
  }
  // Both at once: whichever comes last, it answers.
  await Promise.all([sandbox.pause(), sandbox.resume()]);
  assert.equal(await sandbox.sh`echo still`.text(), "still\n");
  const copy = await (await sandbox.pause(), sandbox.fork());
  assert.equal(await copy.sh`echo copy`.text(), "copy\n");
  await Promise.all([sandbox.kill(), copy.kill()]);
});

await step("a session sandbox outlives its session while it is paused", async () => {
  const sandbox = await Sandbox.create();
  const { id } = sandbox;
  await sandbox.writeTextFile("file.txt", "kept");
  await sandbox.pause();
  await sandbox.close();
  await assert.rejects(sandbox.readTextFile("file.txt"), ConnectionClosedError);
  const again = await Sandbox.connect(id);
  assert.equal(await again.readTextFile("file.txt"), "kept");
  await again.close();
  for (const until = Date.now() + 20_000;;) {
    if ((await new Client().sandboxes.list()).every((it) => it.id !== id)) break;
    assert.ok(Date.now() < until, "it outlives its session");
    await delay(200);
  }
});

await step("a paused sandbox is killed, and what cannot be paused is refused", async () => {
  const sandbox = await Sandbox.create({ timeout: "5m" });
  await sandbox.pause();
  await sandbox.kill();
  await sandbox.closed;
  const code = (code) => (error) => error.code === code;
  await assert.rejects(sandbox.pause(), code("SANDBOX_STOPPED"));
  await assert.rejects(sandbox.resume(), code("SANDBOX_STOPPED"));
  await assert.rejects(Sandbox.create({ pauseAfterIdle: "5m" }), code("INVALID_CONFIG"));
  for (const pauseAfterIdle of ["0s", "soon"]) {
    const options = { timeout: "5m", pauseAfterIdle };
    await assert.rejects(Sandbox.create(options), code("INVALID_CONFIG"));
  }
});

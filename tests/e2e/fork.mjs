// Live forks with our client library. Prints one line for each step.
import assert from "node:assert/strict";
import { Client, ConnectionLostError, Sandbox } from "@paddock/sandbox";

const step = async (name, work) => {
  await work();
  console.log(`ok ${name}`);
};

await step("a session sandbox, its REPL and its processes outlive a fork", async () => {
  const original = await Sandbox.create({ labels: { kind: "original" }, env: { PLAN: "pro" } });
  const repl = await original.repl();
  await repl.eval("let count = 1; const words = ['a']");
  await original.writeTextFile("file.txt", "before");
  await original.env.set("LATER", "yes");
  const child = await original.spawn("sh", { args: ["-c", "sleep 8; exit 7"], stdout: "null" });

  const copy = await original.fork();
  // At once, while the connection is perhaps just being made again.
  const [here, there] = [repl, await copy.attachRepl(repl.pid)];
  assert.deepEqual(
    await Promise.all(
      [here, there].map((it) => it.eval("count++; words.push('b'); [count, words]")),
    ),
    [[2, ["a", "b"]], [2, ["a", "b"]]],
  );
  await there.eval("count = 100");
  assert.equal(await here.eval("count"), 2);
  assert.equal(await copy.readTextFile("file.txt"), "before");
  await copy.writeTextFile("file.txt", "copy");
  assert.equal(await original.readTextFile("file.txt"), "before");
  assert.equal(await copy.sh`echo $PLAN $LATER`.text(), "pro yes\n");
  assert.notEqual(await copy.sh`hostname`.text(), await original.sh`hostname`.text());
  const random = "[Math.random(), crypto.randomUUID()]";
  assert.notDeepEqual(await here.eval(random), await there.eval(random));
  assert.deepEqual(await child.status, { success: false, code: 7, signal: null, oom: false });

  const metadata = await copy.metadata();
  assert.equal(metadata.parent, original.id);
  assert.deepEqual(metadata.labels, { kind: "original" });
  assert.equal(metadata.stopAt, null);
  // The copy lives with its own connection.
  await original.close();
  assert.equal(await copy.sh`cat file.txt`.text(), "copy");
  const { id } = copy;
  await copy.close();
  for (const until = Date.now() + 20_000;;) {
    const running = await new Client().sandboxes.list();
    if (!running.some((it) => it.id === id)) break;
    assert.ok(Date.now() < until, "the copy outlives its session");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
});

await step("several forks of a sandbox with a timeout, and forks of forks", async () => {
  const original = await Sandbox.create({ timeout: "2m" });
  const { stopAt } = await original.metadata();
  const copies = await original.fork(3, { labels: { kind: "copy" } });
  assert.equal(copies.length, 3);
  assert.equal(new Set([original, ...copies].map(({ id }) => id)).size, 4);
  assert.deepEqual((await copies[0].metadata()).stopAt, stopAt);
  const found = await new Client().sandboxes.list({ labels: { kind: "copy" } });
  assert.deepEqual(found.map(({ id }) => id).sort(), copies.map(({ id }) => id).sort());
  const grandchild = await copies[1].fork({ timeout: "session" });
  assert.equal((await grandchild.metadata()).parent, copies[1].id);
  assert.equal((await grandchild.metadata()).stopAt, null);
  await Promise.all([original, ...copies, grandchild].map((it) => it.kill()));
});

await step("a call that is under way fails with one clear error, and the next works", async () => {
  await using original = await Sandbox.create();
  const cut = original.sh`sleep 30; echo never`.text().catch((error) => error);
  const slow = original.deno.eval("await new Promise((done) => setTimeout(done, 30_000))")
    .catch((error) => error);
  await original.sh`sleep 0.5`;
  await using copy = await original.fork();
  for (const error of [await cut, await slow]) {
    assert.ok(error instanceof ConnectionLostError, String(error));
    assert.match(error.message, /checkpoint/);
  }
  assert.equal(await original.sh`echo here`.text(), "here\n");
  assert.equal(await copy.sh`echo there`.text(), "there\n");
});

await step("another client's connection to the original comes back as well", async () => {
  await using original = await Sandbox.create();
  await using other = await Sandbox.connect(original.id);
  const copies = await original.fork(1);
  assert.equal(await other.sh`echo still`.text(), "still\n");
  await Promise.all(copies.map((it) => it.close()));
});

await step("what cannot be forked is refused by name", async () => {
  const original = await Sandbox.create();
  const code = (code) => (error) => error.code === code;
  await assert.rejects(original.fork(1000), code("INVALID_CONFIG"));
  await assert.rejects(original.fork(0), TypeError);
  await assert.rejects(original.fork({ timeout: "1000h" }), code("TIMEOUT_TOO_LONG"));
  await original.kill();
  await assert.rejects(original.fork(), code("SANDBOX_STOPPED"));
  const client = new Client();
  const volume = await client.volumes.create({ slug: "fork-me", capacity: "64MiB" });
  const mounted = await Sandbox.create({ volumes: { "/data": volume } });
  await assert.rejects(mounted.fork(), (error) => {
    assert.equal(error.code, "NOT_SUPPORTED_YET");
    assert.match(error.message, /volumes/);
    return true;
  });
  assert.equal(await mounted.sh`echo well`.text(), "well\n");
  await mounted.close();
  await volume.delete();
});

import assert from "node:assert/strict";
import { guestShell } from "../../packages/engine/testing/guest_shell.ts";
import { startSshBench, until } from "./ssh_bench.ts";

Deno.test("SSH and a sandbox that is paused", async (t) => {
  await using bench = await startSshBench();
  const { create, ssh } = bench;
  const { sandbox, user } = await create({ pauseAfterIdleMs: 1_500 });
  const soon = () => AbortSignal.timeout(60_000);
  await guestShell(sandbox, "echo before > ~/file");

  await t.step("a connection resumes it", async () => {
    await sandbox.pause(soon());
    assert.equal(sandbox.state, "paused");
    const { code, stdout } = await ssh("cat file; exit 3", { user });
    assert.deepEqual([code, stdout], [3, "before\n"]);
    assert.equal(sandbox.state, "running");
  });

  await t.step("a connection keeps it awake, and it is paused after the last one", async () => {
    const { stdout } = await ssh("sleep 4; echo awake", { user });
    assert.equal(stdout, "awake\n");
    await until(() => Promise.resolve(sandbox.state === "paused"));
  });

  await t.step("a shell that was open is told", async () => {
    await sandbox.resume(soon());
    const waiting = ssh("echo in; sleep 1000", { user });
    await until(async () => (await guestShell(sandbox, "pgrep -c -x sleep")).trim() === "1");
    await sandbox.pause(soon());
    const { code, stderr } = await waiting;
    assert.notEqual(code, 0);
    assert.match(stderr, /the sandbox was paused/);
  });
  assert.deepEqual(bench.logged, []);
});

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  denoBinary,
  repository,
  run,
  type RuntimeName,
  runtimes,
  runWith,
  startServer,
} from "../harness.ts";

Deno.test("volumes and snapshots with our client library, on every runtime", async (t) => {
  await using server = await startServer();
  const file = fileURLToPath(new URL("volumes.mjs", import.meta.url));
  for (const runtime of Object.keys(runtimes) as RuntimeName[]) {
    await t.step(runtime, async () => {
      const result = await runWith(runtime, file, [runtime], { env: server.env });
      assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
      assert.equal(result.stdout, "ok\n");
    });
  }
});

Deno.test("volumes and snapshots from the command line", async () => {
  await using server = await startServer();
  const main = `${repository}/packages/cli/main.ts`;
  const paddock = async (...args: string[]) => {
    const result = await run(denoBinary, ["run", "-A", "--no-lock", main, ...args], {
      env: { ...server.env, NO_COLOR: "1" },
    });
    return { ...result, out: result.stdout.trim() };
  };
  const made = await paddock("volume", "create", "cache", "--capacity", "100MB", "--region", "ord");
  assert.match(made.out, /^vol_ord_[0-9a-z]{20}$/, made.stderr);
  const { out: sandbox } = await paddock("create", "--volume", "/data=cache");
  assert.match(sandbox, /^sbx_ord_/);
  const wrote = await paddock("exec", sandbox, "--", "sh", "-c", "echo kept > /data/f");
  assert.equal(wrote.code, 0, wrote.stderr);
  assert.match((await paddock("volume", "ls")).out, new RegExp(`cache +95\\.4 MiB .*${sandbox}`));
  const refused = await paddock("volume", "snapshot", "cache", "early");
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, new RegExp(`in use by the sandbox ${sandbox}`));
  await paddock("kill", sandbox);
  const snapshot = await paddock("volume", "snapshot", "cache", "cache-v1", "--json");
  assert.deepEqual(JSON.parse(snapshot.out).volume, { id: made.out, slug: "cache" });
  assert.match((await paddock("snapshot", "ls")).out, /cache-v1 .* cache /);
  const copied = await paddock("volume", "create", "copy", "-c", "200MB", "--from", "cache-v1");
  assert.equal(copied.code, 0, copied.stderr);
  const { out: second } = await paddock("create", "-v", "/a=copy", "-v", "/b=cache-v1");
  const read = await paddock("exec", second, "--", "cat", "/a/f", "/b/f");
  assert.equal(read.out, "kept\nkept", read.stderr);
  await paddock("kill", second);
  assert.equal((await paddock("volume", "rm", "cache", "copy")).out, "cache\ncopy");
  assert.equal((await paddock("snapshot", "rm", "cache-v1")).code, 0);
  assert.equal((await paddock("volume", "ls", "--json")).out, "[]");
  const missing = await paddock("volume", "rm", "cache");
  assert.notEqual(missing.code, 0);
  assert.match(missing.stderr, /There is no volume/);
});

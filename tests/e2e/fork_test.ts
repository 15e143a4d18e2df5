import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { runWith, startServer, until } from "../harness.ts";

Deno.test("forks with our client library, on Deno and Node", async (t) => {
  await using server = await startServer();
  for (const runtime of ["deno", "node24"] as const) {
    await t.step(runtime, async () => {
      const file = fileURLToPath(new URL("fork.mjs", import.meta.url));
      const result = await runWith(runtime, file, [], { env: server.env, deadlineMs: 180_000 });
      assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
      assert.equal(result.stdout.match(/^ok /gm)?.length, 5, result.stdout);
    });
  }
  await t.step("nothing is left", async () => {
    await until("no checkpoint", 10_000, () => {
      const left = [...Deno.readDirSync(`${server.dataDir}/forks`)];
      return left.length === 0;
    });
    assert.doesNotMatch(await server.log(), /"level":"error"/);
  });
});

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type RuntimeName, runtimes, runWith, startServer } from "../harness.ts";

Deno.test("every method of our client library, on every runtime", async (t) => {
  await using server = await startServer();
  const file = fileURLToPath(new URL("sdk_methods.mjs", import.meta.url));
  for (const runtime of Object.keys(runtimes) as RuntimeName[]) {
    await t.step(runtime, async () => {
      const result = await runWith(runtime, file, [], { env: server.env, deadlineMs: 180_000 });
      assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
      assert.equal(result.stdout.match(/^ok /gm)?.length, 9, result.stdout);
    });
  }
});

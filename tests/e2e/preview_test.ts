import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type RuntimeName, runtimes, runWith, startServer } from "../harness.ts";

Deno.test("preview URLs with our client, on every runtime", async (t) => {
  await using server = await startServer();
  const file = fileURLToPath(new URL("preview.mjs", import.meta.url));
  for (const runtime of Object.keys(runtimes) as RuntimeName[]) {
    await t.step(runtime, async () => {
      const result = await runWith(runtime, file, [], { env: server.env });
      assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
      const parts = result.stdout.match(/^(ok|skipped) /gm)?.length;
      assert.equal(parts, 7, result.stdout);
      const skipped = /^skipped .*$/m.exec(result.stdout)?.[0];
      if (skipped) console.log(`    ${runtime}: ${skipped}`);
      assert.ok(!skipped || runtime === "node20", skipped);
    });
  }
});

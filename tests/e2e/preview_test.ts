import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type RuntimeName, runtimes, runWith, startServer } from "../harness.ts";

Deno.test("preview URLs with our client, on every runtime", async (t) => {
  // A server in an emulated machine takes about as long to start as its visitors wait by default.
  const patient = { PADDOCK_LIMITS_GATEWAY_START_MS: "60000" };
  const emulated = Deno.env.get("PADDOCK_DRIVER") === "qemu";
  await using server = await startServer({ env: emulated ? patient : {} });
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

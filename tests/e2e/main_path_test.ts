import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type RuntimeName, runWith, startServer } from "../harness.ts";

const fib = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34];
const programs: Record<RuntimeName, string> = {
  deno: "main_path.mjs",
  node24: "main_path.mjs",
  bun: "main_path.mjs",
  node20: "main_path_node20.mjs",
};

Deno.test("the main path with our client on every runtime", async (t) => {
  await using server = await startServer();
  for (const [runtime, name] of Object.entries(programs) as [RuntimeName, string][]) {
    await t.step(runtime, async () => {
      // Bun has `await using`; Bun and Node use the built library, as a user of the package does.
      const file = fileURLToPath(new URL(name, import.meta.url));
      const result = await runWith(runtime, file, [], { env: server.env });
      assert.equal(result.code, 0, result.stderr);
      const seen = JSON.parse(result.stdout.trim().split("\n").at(-1)!);
      assert.deepEqual(seen.fib, fib);
      assert.equal(seen.spawn, "piped");
      assert.equal(seen.typeError, true);
      if (name === "main_path_node20.mjs") {
        assert.equal(seen.sh, "it's node\n");
        assert.equal(seen.bytes, 300_000);
        return;
      }
      assert.equal(seen.sh, "it's b\n");
      assert.equal(seen.shCall, "called\n");
      assert.deepEqual(seen.read, ["content", "flat"]);
      assert.equal(seen.repl, 42);
      assert.equal(seen.httpReady, true);
      assert.equal(seen.fetched, "served");
      assert.match(seen.notFound, /^NotFound ENOENT$/);
      assert.equal(seen.rich, true);
      assert.equal(seen.listed, true);
      assert.equal(seen.ended, true);
    });
  }
});

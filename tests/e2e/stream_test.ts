import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { residentBytes, type RuntimeName, runWith, startServer } from "../harness.ts";

const MiB = 1024 * 1024;
const total = 100 * MiB;
const allowedGrowth = 64 * MiB;

Deno.test("100 MB each way arrive whole, with memory flat", async (t) => {
  await using server = await startServer();
  const file = fileURLToPath(new URL("stream.mjs", import.meta.url));
  for (const runtime of ["deno", "node24"] satisfies RuntimeName[]) {
    await t.step(runtime, async () => {
      const serverBefore = await residentBytes(server.pid);
      let serverPeak = 0;
      const sampler = setInterval(async () => {
        serverPeak = Math.max(serverPeak, await residentBytes(server.pid).catch(() => 0));
      }, 250);
      const result = await runWith(runtime, file, [], { env: server.env, deadlineMs: 180_000 });
      clearInterval(sampler);
      assert.equal(result.code, 0, result.stderr);
      const seen = JSON.parse(result.stdout.trim().split("\n").at(-1)!);
      const growth = {
        server: serverPeak - serverBefore,
        agent: Math.max(seen.agentPeak, seen.agentAfter) - seen.agentBefore,
        client: seen.clientPeak - seen.clientBefore,
      };
      const mib = Object.entries(growth).map(([who, bytes]) =>
        `${who} ${(bytes / MiB).toFixed(0)}`
      );
      console.log(`    upload ${seen.uploadMs} ms; growth in MiB: ${mib.join(", ")}`);
      assert.equal(seen.seenInside, seen.uploaded);
      assert.equal(seen.downloaded.bytes, total);
      assert.equal(seen.downloaded.digest, seen.uploaded);
      assert.equal(seen.stdin[1], seen.stdin[0]);
      assert.ok(growth.server < allowedGrowth, "the server's memory is flat");
      assert.ok(growth.agent < allowedGrowth, "the agent's memory is flat");
      // Its collector decides when garbage goes, and has let up to 103 MiB lie; a client that holds both
      // transfers has these and 200 MiB besides.
      assert.ok(growth.client < 1.5 * total, "the client does not hold the whole transfers");
    });
  }
});

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Sandbox } from "@paddock/sandbox";
import { type RuntimeName, runWith, startServer } from "../harness.ts";

const transfer = 200 * 1024 * 1024;
const allowedGrowthMiB = 48;

Deno.test("requests from a sandbox, and to a program in it", async (t) => {
  await using server = await startServer();
  const program = fileURLToPath(new URL("fetch.mjs", import.meta.url));
  for (const runtime of ["deno", "node24", "node20", "bun"] satisfies RuntimeName[]) {
    await t.step(`on ${runtime}`, async () => {
      await using sandbox = await Sandbox.create({
        endpoint: server.api,
        token: server.token,
        timeout: "10m",
      });
      const { env } = server;
      const result = await runWith(runtime, program, [sandbox.id], { env, deadlineMs: 120_000 });
      assert.equal(result.code, 0, result.stderr);
      const seen = JSON.parse(result.stdout.trim().split("\n").at(-1)!);
      assert.equal(seen.ready, true);
      for (const way of ["network", "process"]) {
        console.log(`    ${way}: the agent grew by ${seen[way].agentGrowth.toFixed(0)} MiB`);
        checkWay(seen[way]);
      }
      assert.equal(seen.process.get.host, "shop.example:8443");
      checkFailures(seen.failures);
      await sandbox.kill();
    });
  }
});

// deno-lint-ignore no-explicit-any
function checkWay(way: any): void {
  assert.deepEqual(way.methods, ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
  assert.deepEqual(way.get.headers, [["x-a", "1, 2"]]);
  assert.deepEqual(way.bodies.map(([text]: [string]) => text), [
    "grüße",
    "bytes",
    "blob",
    "a=1+2",
    "s",
  ]);
  assert.match(way.bodies[0][1], /^text\/plain/);
  assert.match(way.bodies[3][1], /^application\/x-www-form-urlencoded/);
  assert.deepEqual(way.head, [200, "is", ""]);
  assert.deepEqual(
    way.statuses.map(([status, , body]: [number, string, string]) => [status, body]),
    [204, 304, 404, 418, 500].map((status) => [status, ""]),
  );
  assert.deepEqual(way.cookies, [["a=1; Path=/", "b=2"], "one, two"]);
  assert.deepEqual(way.gzip, [7000, null, null]);

  const { redirects } = way;
  assert.equal(redirects.followed, "GET");
  for (const changed of [redirects.seeOther, redirects.found]) {
    assert.deepEqual([changed.method, changed.body, changed.type], ["GET", "", null]);
  }
  assert.deepEqual([redirects.kept.method, redirects.kept.body], ["POST", "grüße"]);
  assert.match(redirects.kept.type, /^text\/plain/);
  assert.deepEqual(redirects.manual, [302, "/echo"]);
  for (const refused of [redirects.error, redirects.loop, redirects.tooLong]) {
    assert.equal(refused.name, "TypeError");
  }

  assert.equal(way.download, transfer);
  assert.equal(way.upload, transfer);
  assert.ok(way.agentGrowth < allowedGrowthMiB, `the agent grew by ${way.agentGrowth} MiB`);
  assert.ok(way.pulledMiB < 50, `${way.pulledMiB} MiB were taken for a server that reads nothing`);
  assert.ok(way.growthUnread < allowedGrowthMiB, `it grew by ${way.growthUnread} MiB for nobody`);
  assert.equal(way.gaveUp, "AbortError");

  assert.equal(way.abortedBefore.name, "AbortError");
  assert.equal(way.abortedWaiting.name, "TimeoutError");
  assert.equal(way.abortedReading.name, "AbortError");
  assert.equal(way.serverSawAborts, 3, "requests that are given up end at the server as well");
  assert.equal(way.broken.name, "TypeError");
}

// deno-lint-ignore no-explicit-any
function checkFailures(failures: any): void {
  for (const name of ["refused", "unknownHost", "plainAsTls"]) {
    assert.equal(failures[name].name, "TypeError", name);
    assert.notEqual(failures[name].cause, "", `${name} has a cause`);
  }
  assert.match(failures.refused.cause, /refused/i);
  assert.match(failures.unknownHost.cause, /dns error/);
  assert.equal(failures.badUrl.name, "TypeError");
  assert.equal(failures.badScheme.name, "TypeError");
  assert.equal(failures.ended.name, "ConnectionRefused");
}

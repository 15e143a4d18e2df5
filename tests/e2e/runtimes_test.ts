import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Sandbox } from "@paddock/sandbox";
import { type RuntimeName, runtimes, runWith, startServer } from "../harness.ts";

Deno.test("programs in a sandbox: sources, arguments, readiness, requests, restarts", async (t) => {
  await using server = await startServer();
  const program = fileURLToPath(new URL("runtimes.mjs", import.meta.url));
  for (const runtime of Object.keys(runtimes) as RuntimeName[]) {
    await t.step(`on ${runtime}`, async () => {
      await using sandbox = await Sandbox.create({
        endpoint: server.api,
        token: server.token,
        timeout: "10m",
      });
      const { env } = server;
      const result = await runWith(runtime, program, [sandbox.id], { env, deadlineMs: 120_000 });
      assert.equal(result.code, 0, result.stderr);
      checkSeen(JSON.parse(result.stdout.trim().split("\n").at(-1)!));
      await sandbox.kill();
    });
  }
});

const done = (out: string, code = 0, err = "") => ({ code, out, err });

// deno-lint-ignore no-explicit-any
function checkSeen(seen: any): void {
  assert.deepEqual(seen.extensions, {
    js: done("plain js"),
    mjs: done("plain mjs"),
    cjs: done("common / cjs"),
    ts: done("typed ts"),
    mts: done("typed mts"),
    cts: done("common / cts"),
    jsx: done("b,x"),
    tsx: done("b,x"),
  });
  assert.deepEqual(seen.defaultExtension, done("typed ts"));
  const home = "/home/sandbox";
  const word = (...values: unknown[]) => done(JSON.stringify(["one", ...values]), 3, "complains");
  assert.deepEqual(seen.entrypoint, word(["--x", "a b", ""], "1", home, home));
  assert.deepEqual(seen.inDirectory, word([], null, `${home}/app`, null));
  assert.deepEqual(seen.imports, done("one"));
  assert.equal(seen.missing.code, 1);
  assert.match(seen.missing.err, /Module not found/);
  assert.equal(seen.throwing.code, 1);
  assert.match(seen.throwing.err, /RangeError: far/);
  assert.equal(seen.leftFiles, "");
  assert.equal(seen.stdin, "in and out");

  const answers: Record<string, string[]> = {
    serve: ["serve /a", "serve /b", "serve /d"],
    node: ["node /a", "node /b?c", "node /d"],
  };
  for (const name of ["serve", "loopback", "ipv6", "node", "late", "child"]) {
    const texts = answers[name] ?? [name, name, name];
    assert.deepEqual(seen.servers[name], { ready: true, texts, signal: "SIGTERM" });
  }
  assert.equal(seen.neverReady, false);
  assert.deepEqual(seen.failedBefore, [false, 4]);
  for (const way of ["all", "listed"]) {
    assert.deepEqual(seen.watch[way], ["first", "second", "SIGTERM"]);
  }
}

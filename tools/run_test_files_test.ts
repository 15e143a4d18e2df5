import assert from "node:assert/strict";
import { runTestFiles, type TestResult } from "./run_test_files.ts";

async function runSource(source: string, timeoutMs = 20_000): Promise<TestResult[]> {
  const path = await Deno.makeTempFile({ prefix: "paddock-tools-", suffix: "_test.ts" });
  try {
    await Deno.writeTextFile(path, source);
    const { signal } = new AbortController();
    return await runTestFiles([path], { signal, timeoutMs, quiet: true });
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("passed and failed tests are told apart", async () => {
  const results = await runSource(
    `Deno.test("good", () => {}); Deno.test("bad", () => { throw new Error("because"); });`,
  );
  assert.deepEqual(results.map(({ outcome }) => outcome), ["passed", "failed"]);
  assert.match(results[1].output, /because/);
});

Deno.test("a file that does not load, one that is empty and one that hangs have failed", async () => {
  const broken = await runSource(`throw new Error("at the top");`);
  assert.deepEqual(broken.map(({ outcome }) => outcome), ["failed"]);
  assert.match(broken[0].output, /at the top/);
  const empty = await runSource(``);
  assert.deepEqual(empty.map(({ outcome }) => outcome), ["failed"]);
  const hanging = await runSource(
    `Deno.test("x", async () => { while (true) await new Promise((r) => setTimeout(r, 50)); });`,
    2_000,
  );
  assert.equal(hanging.at(-1)?.name, "did not end within 2 s");
  assert.equal(hanging.at(-1)?.outcome, "failed");
  assert.equal(hanging.at(-1)?.cutOff, true);
});

Deno.test("a process that exits in the middle has failed", async () => {
  const results = await runSource(
    `Deno.test("x", () => { process.kill(process.pid, "SIGKILL"); });`,
  );
  assert(results.some(({ outcome }) => outcome === "failed"));
});

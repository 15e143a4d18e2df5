import assert from "node:assert/strict";
import type { TestResult } from "./run_test_files.ts";
import { SecondTries } from "./second_try.ts";

function result(file: string, name: string, outcome: TestResult["outcome"]): TestResult {
  return { file, name, outcome, seconds: 0, output: outcome === "failed" ? "why" : "" };
}

Deno.test("a file that passes at the second try says what was wrong at the first", async () => {
  const runs: string[][] = [];
  const results = await new SecondTries().run(["a", "b"], (files) => {
    runs.push(files);
    return Promise.resolve(
      runs.length === 1
        ? [result("a", "x", "passed"), result("b", "y", "failed"), result("b", "z", "passed")]
        : [result("b", "y", "passed"), result("b", "z", "passed")],
    );
  });
  assert.deepEqual(runs, [["a", "b"], ["b"]]);
  assert.deepEqual(results.map(({ name, outcome }) => [name, outcome]), [
    ["x", "passed"],
    ["y", "passed"],
    ["z", "passed"],
  ]);
  assert.deepEqual(results.map(({ failedFirst }) => failedFirst), [undefined, "why", undefined]);
});

Deno.test("a file that fails twice has failed", async () => {
  let runs = 0;
  const results = await new SecondTries().run(["a"], () => {
    runs++;
    return Promise.resolve([result("a", "x", "failed")]);
  });
  assert.equal(runs, 2);
  assert.deepEqual(results.map(({ outcome }) => outcome), ["failed"]);
});

Deno.test("a failure that no file can be blamed for repeats them all", async () => {
  const runs: string[][] = [];
  const results = await new SecondTries().run(["a", "b"], (files) => {
    runs.push(files);
    return Promise.resolve(
      runs.length === 1
        ? [result("a", "x", "passed"), result("", "deno test ended with code 1", "failed")]
        : [result("a", "x", "passed"), result("b", "y", "passed")],
    );
  });
  assert.deepEqual(runs, [["a", "b"], ["a", "b"]]);
  assert.equal(results.length, 2);
});

Deno.test("where much fails, nothing is tried again", async () => {
  const files = ["a", "b", "c", "d", "e", "f", "g", "h"];
  let runs = 0;
  await new SecondTries().run(files, () => {
    runs++;
    return Promise.resolve(files.map((file, at) => result(file, "x", at ? "failed" : "passed")));
  });
  assert.equal(runs, 1);
});

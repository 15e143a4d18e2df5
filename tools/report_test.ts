import assert from "node:assert/strict";
import { succeeded, summary } from "./report.ts";
import type { TestResult } from "./run_test_files.ts";

function result(name: string, outcome: TestResult["outcome"]): TestResult {
  return {
    file: "a_test.ts",
    name,
    outcome,
    seconds: 0,
    output: outcome === "failed" ? "why" : "",
  };
}

Deno.test("the last line is what programs read", () => {
  const text = summary([result("a", "passed"), result("b", "failed"), result("c", "skipped")]);
  const lines = text.split("\n");
  assert.equal(lines.at(-1), "1 passed, 1 failed");
  assert.equal(lines.at(-2), "FAILED: a_test.ts: b");
  assert(lines.includes("  why"));
  assert(lines.includes("skipped: a_test.ts: c"));
});

Deno.test("a run succeeds when something passed and nothing failed", () => {
  assert.equal(succeeded([result("a", "passed"), result("b", "skipped")]), true);
  assert.equal(succeeded([result("a", "passed"), result("b", "failed")]), false);
  assert.equal(succeeded([result("b", "skipped")]), false);
  assert.equal(succeeded([]), false);
});

Deno.test("what passed at the second try only is said", () => {
  const text = summary([{ ...result("a", "passed"), failedFirst: "it was late" }]);
  assert.deepEqual(text.split("\n").slice(-3), [
    "passed at the second try only: a_test.ts: a",
    "  it was late",
    "1 passed, 0 failed",
  ]);
});

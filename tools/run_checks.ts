import type { Check } from "./checks.ts";
import type { TestResult } from "./run_test_files.ts";

/** Runs checks one after the other, with a line for each. */
export async function runChecks(checks: Check[], signal: AbortSignal): Promise<TestResult[]> {
  const all: TestResult[] = [];
  for (const check of checks) {
    const started = performance.now();
    const results = await check.run(signal);
    all.push(...results);
    const failed = results.filter(({ outcome }) => outcome === "failed").length;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const count = results.length > 1 ? ` (${results.length} tests, ${failed} failed)` : "";
    console.log(`${failed === 0 ? "ok  " : "FAIL"} ${check.name}${count} · ${seconds} s`);
    if (signal.aborted) break;
  }
  return all;
}

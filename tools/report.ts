import type { TestResult } from "./run_test_files.ts";

/** The end of a run: what was skipped and why, what failed, and the line that programs read. */
export function summary(results: TestResult[]): string {
  const lines: string[] = [];
  for (const result of results) {
    if (result.outcome === "skipped") lines.push(`skipped: ${title(result)}`);
  }
  for (const result of results) {
    if (result.failedFirst === undefined) continue;
    lines.push(
      "",
      `passed at the second try only: ${title(result)}`,
      ...indented(result.failedFirst),
    );
  }
  const failed = results.filter(({ outcome }) => outcome === "failed");
  for (const result of failed) {
    lines.push("", `FAILED: ${title(result)}`);
    if (result.output !== "") lines.push(...indented(result.output));
  }
  if (failed.length > 0) lines.push("", ...failed.map((result) => `FAILED: ${title(result)}`));
  const passed = results.filter(({ outcome }) => outcome === "passed").length;
  lines.push(`${passed} passed, ${failed.length} failed`);
  return lines.join("\n");
}

function indented(text: string): string[] {
  return text.split("\n").map((line) => `  ${line}`);
}

/** A run that ran nothing has not succeeded. */
export function succeeded(results: TestResult[]): boolean {
  const has = (outcome: TestResult["outcome"]) => results.some((one) => one.outcome === outcome);
  return has("passed") && !has("failed");
}

export function title({ file, name }: TestResult): string {
  return file === "" ? name : `${file}: ${name}`;
}

import { parseArgs } from "node:util";
import { sourceChecks } from "./checks.ts";
import { runDocExamples } from "./doc_examples.ts";
import { endProcesses } from "./end_processes.ts";
import { interruptSignal } from "./interrupt.ts";
import { findLeftovers, hostState, runMarker } from "./leftovers.ts";
import { succeeded, summary, title } from "./report.ts";
import { runChecks } from "./run_checks.ts";
import { onQemu } from "./on_qemu.ts";
import { runTestFiles, type TestResult } from "./run_test_files.ts";
import { SecondTries } from "./second_try.ts";
import { findTestFiles } from "./test_files.ts";

// `npm test`, once setup is done: the checks of `deno task ok`, the tests that need a machine, whole
// servers and published clients, the examples of the documents; at last, that nothing is left behind.
// Arguments are parts of file names and narrow the tests down; `--driver qemu` runs them on that.

const fileTimeoutMs = 10 * 60_000;
const teardownMs = 15_000;

const signal = interruptSignal();
const { values: { driver }, positionals: only } = parseArgs({
  options: { driver: { type: "string" } },
  allowPositionals: true,
});
const wanted = (file: string) => only.length === 0 || only.some((part) => file.includes(part));
const runId = crypto.randomUUID();
const env = { [runMarker]: runId, ...(driver === undefined ? {} : { PADDOCK_DRIVER: driver }) };
const started = performance.now();
const before = await hostState();
const results: TestResult[] = [];
const secondTries = new SecondTries();
const durations: { title: string; seconds: number }[] = [];
const slowestShown = 12;

if (only.length === 0) results.push(...await runChecks(await sourceChecks(secondTries), signal));
const kinds = only.length === 0
  ? ["machine", "system"] as const
  : ["unit", "machine", "system"] as const;
const files = (await Promise.all(kinds.map((kind) => findTestFiles(kind)))).flat().filter(wanted);
// A process and a deadline for each file: one that hangs or crashes is named and costs no other.
for (const [index, file] of files.entries()) {
  if (signal.aborted) break;
  console.log(`\n[${index + 1}/${files.length}] ${file}`);
  await runFile(file);
}
if (only.length === 0 && !signal.aborted) results.push(...await runDocExamples({ signal, env }));
if (only.length === 0 && driver === undefined) {
  for (const { file, env: more } of onQemu) {
    if (signal.aborted) break;
    console.log(`\n[on QEMU] ${file}`);
    await runFile(file, { more, where: "on QEMU: " });
  }
}

const left = await findLeftovers(before, runId, teardownMs);
results.push({
  file: "",
  name: "nothing is left behind on the host",
  outcome: left.length === 0 ? "passed" : "failed",
  seconds: 0,
  output: left.join("\n"),
});
if (signal.aborted) {
  results.push({ file: "", name: "interrupted", outcome: "failed", seconds: 0, output: "" });
}
console.log(`\nThe tests took ${Math.round((performance.now() - started) / 1000)} s. Longest:`);
for (
  const { title, seconds } of durations.sort((a, b) => b.seconds - a.seconds).slice(0, slowestShown)
) {
  console.log(`${Math.round(seconds).toString().padStart(6)} s  ${title}`);
}
console.log(summary(results));
Deno.exit(succeeded(results) ? 0 : 1);

/** Prints what failed as it does; `where` stands before the names of its tests. */
async function runFile(
  file: string,
  { more = {}, where = "" }: { more?: Record<string, string>; where?: string } = {},
): Promise<void> {
  const options = { signal, timeoutMs: fileTimeoutMs, env: { ...env, ...more } };
  const began = performance.now();
  const ofFile = await secondTries.run([file], async (files) => {
    const results = await runTestFiles(files, options);
    if (results.some(({ cutOff }) => cutOff)) await endProcesses(runId);
    return results;
  });
  durations.push({ title: `${where}${file}`, seconds: (performance.now() - began) / 1000 });
  for (const result of ofFile) {
    const named = { ...result, name: `${where}${result.name}` };
    results.push(named);
    if (named.outcome === "failed") console.log(`FAILED: ${title(named)}`);
  }
}

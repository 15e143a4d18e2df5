import type { TestResult } from "./run_test_files.ts";

/** More files than this that fail in one run are no bad luck of a busy host. */
const mostFiles = 6;

export type RunFiles = (files: string[]) => Promise<TestResult[]>;

/**
 * Runs test files, and a file that failed once more, by itself: on a host that others keep busy a
 * wait runs out now and then. What passed only then keeps what was wrong the first time, for the
 * summary to say. One `SecondTries` for a whole run.
 */
export class SecondTries {
  #left = mostFiles;

  async run(files: string[], run: RunFiles): Promise<TestResult[]> {
    const first = await run(files);
    const failed = first.filter(({ outcome }) => outcome === "failed");
    if (failed.length === 0) return first;
    const named = new Set(failed.map(({ file }) => file));
    // What no file can be blamed for is a failure of all of them.
    const again = files.length === 1 || !files.some((file) => named.has(file))
      ? files
      : files.filter((file) => named.has(file));
    const cost = files.length === again.length ? 1 : again.length;
    if (cost > this.#left) return first;
    this.#left -= cost;
    console.log(
      `Failed, so tried once more: ${again.length === 1 ? again[0] : `${again.length} files`}`,
    );
    for (const { file, name, output } of failed) {
      console.log(`  ${file}: ${name}\n${output.replaceAll(/^/gm, "    ")}`);
    }
    const second = await run(again);
    const kept = again === files ? [] : first.filter(({ file }) => !again.includes(file));
    return [...kept, ...second.map((result) => noteFirst(result, failed))];
  }
}

function noteFirst(result: TestResult, failed: TestResult[]): TestResult {
  const first = failed.find(({ file, name }) => file === result.file && name === result.name);
  if (!first || result.outcome !== "passed") return result;
  return { ...result, failedFirst: first.output || "no output" };
}

import { repositoryRoot } from "../images/repository_root.ts";
import { markdownFiles } from "./markdown_files.ts";
import { runTestFiles, type TestResult } from "./run_test_files.ts";
import type { SecondTries } from "./second_try.ts";
import { findTestFiles } from "./test_files.ts";
import { walk } from "./walk.ts";

export interface Check {
  name: string;
  run: (signal: AbortSignal) => Promise<TestResult[]>;
}

const checkTimeoutMs = 5 * 60_000;
const unitTimeoutMs = 3 * 60_000;

/**
 * What `deno task ok` runs: everything about the sources that needs no machine. A failure is final
 * where no second tries are given.
 */
export async function sourceChecks(secondTries?: SecondTries): Promise<Check[]> {
  const unitTests = await findTestFiles("unit");
  return [
    denoCheck("format", ["fmt", "--check"]),
    denoCheck("lint", ["lint", "--quiet"]),
    denoCheck("house rules", ["run", "-A", "tools/lint/main.ts"]),
    denoCheck("types", ["check", "--quiet", ...await typedFiles()]),
    denoCheck("client library", ["run", "-A", "packages/sdk/build.ts"]),
    denoCheck("types of the examples in the documents", [
      ...["check", "--quiet", "--doc-only"],
      ...await markdownFiles(),
    ]),
    {
      name: `${unitTests.length} files of unit tests`,
      run: (signal) => {
        const options = { signal, timeoutMs: unitTimeoutMs, parallel: true, quiet: true };
        const run = (files: string[]) => runTestFiles(files, options);
        return secondTries ? secondTries.run(unitTests, run) : run(unitTests);
      },
    },
  ];
}

const typedFolders = ["packages", "images", "tools", "tests", "bench", "examples"];

// By name, because a folder would bring JavaScript along that runs in a workspace of its own.
async function typedFiles(): Promise<string[]> {
  const files: string[] = [];
  for (const folder of typedFolders) {
    for await (const path of walk(folder)) if (path.endsWith(".ts")) files.push(path);
  }
  return files;
}

function denoCheck(name: string, args: string[]): Check {
  return {
    name,
    run: async (signal) => {
      const started = performance.now();
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(checkTimeoutMs)]);
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args,
        cwd: repositoryRoot,
        signal: deadline,
        env: { DENO_NO_UPDATE_CHECK: "1", ...(Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" }) },
      }).output();
      const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
      const outcome = code === 0 ? "passed" : "failed";
      const seconds = (performance.now() - started) / 1000;
      return [{ file: "", name, outcome, seconds, output: code === 0 ? "" : text }];
    },
  };
}

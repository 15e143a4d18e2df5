import { join } from "node:path";
import { repositoryRoot } from "../images/repository_root.ts";
import { markdownFiles } from "./markdown_files.ts";
import type { TestResult } from "./run_test_files.ts";

export interface DocExample {
  file: string;
  /** Where the block begins, from 1. */
  line: number;
  code: string;
}

export interface RunDocExamplesOptions {
  signal: AbortSignal;
  env: Record<string, string>;
}

const exampleTimeoutMs = 2 * 60_000;

/**
 * Runs every block of the documents that is marked so: a fence of `ts run`. All the others are
 * type-checked by `deno check --doc-only`, unless the fence says `ignore`.
 */
export async function runDocExamples(options: RunDocExamplesOptions): Promise<TestResult[]> {
  const folder = await Deno.makeTempDir({ prefix: "paddock-doc-examples-" });
  // Examples name no server: the local daemon they start is one of theirs alone.
  const env = {
    ...options.env,
    PADDOCK_LOCAL_READY_FILE: join(folder, "run", "daemon.json"),
    PADDOCK_DATA_DIR: join(folder, "data"),
  };
  try {
    return await runExamples({ ...options, env });
  } finally {
    const main = join(repositoryRoot, "packages", "cli", "main.ts");
    await new Deno.Command(Deno.execPath(), { args: ["run", "--allow-all", main, "stop"], env })
      .output();
    await Deno.remove(folder, { recursive: true });
  }
}

async function runExamples(options: RunDocExamplesOptions): Promise<TestResult[]> {
  const results: TestResult[] = [];
  for (const file of await markdownFiles()) {
    const text = await Deno.readTextFile(join(repositoryRoot, file));
    for (const example of runnableExamples(file, text)) {
      if (options.signal.aborted) return results;
      const result = await runExample(example, options);
      console.log(`${result.outcome === "passed" ? "ok  " : "FAIL"} ${file}: ${result.name}`);
      results.push(result);
    }
  }
  return results;
}

export function runnableExamples(file: string, markdown: string): DocExample[] {
  const examples: DocExample[] = [];
  let open: { line: number; run: boolean; lines: string[] } | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = line.match(/^```\s*(.*)$/);
    if (!fence) {
      open?.lines.push(line);
    } else if (open) {
      if (open.run) examples.push({ file, line: open.line, code: `${open.lines.join("\n")}\n` });
      open = undefined;
    } else {
      const [language, ...words] = fence[1].split(/[\s,]+/);
      const run = /^(ts|typescript)$/.test(language) && words.includes("run");
      open = { line: index + 1, run, lines: [] };
    }
  }
  return examples;
}

async function runExample(
  { file, line, code }: DocExample,
  { signal, env }: RunDocExamplesOptions,
): Promise<TestResult> {
  // Inside the checkout, so that the example's imports mean what they mean to a reader.
  const folder = join(repositoryRoot, ".paddock");
  await Deno.mkdir(folder, { recursive: true });
  const path = await Deno.makeTempFile({ dir: folder, prefix: "example-", suffix: ".ts" });
  const started = performance.now();
  try {
    await Deno.writeTextFile(path, code);
    const { code: status, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", path],
      cwd: repositoryRoot,
      env,
      signal: AbortSignal.any([signal, AbortSignal.timeout(exampleTimeoutMs)]),
    }).output();
    const output = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
    return {
      file,
      name: `the example of line ${line} runs`,
      outcome: status === 0 ? "passed" : "failed",
      seconds: (performance.now() - started) / 1000,
      output: status === 0 ? "" : output,
    };
  } finally {
    await Deno.remove(path);
  }
}

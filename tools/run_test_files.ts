import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRoot } from "../images/repository_root.ts";
import { readJunit } from "./junit.ts";

export interface TestResult {
  file: string;
  name: string;
  /** A skipped test has said why in its name: a lint rule holds that. */
  outcome: "passed" | "failed" | "skipped";
  seconds: number;
  /** Why it failed. */
  output: string;
  /** It took too long, and what it had started may still run. */
  cutOff?: boolean;
  /** Why it failed at the first of two tries; it passed at the second. */
  failedFirst?: string;
}

export interface RunTestFilesOptions {
  signal: AbortSignal;
  /** For all the files together. */
  timeoutMs: number;
  parallel?: boolean;
  /** Keep what the tests print to themselves unless one fails. */
  quiet?: boolean;
  env?: Record<string, string>;
}

/** What Deno 2.9 says when it takes a test's output to be stuck, and loses the results of all. */
const RUNNER_PANIC = "Test flush deadlock";
const killAfterMs = 10_000;
const keptOutput = 4_000;

/**
 * Runs test files in one `deno test` process. Whatever ends that process (a crash, a hang that the
 * deadline cuts) shows as a failed test of its own: a result is never lost without a trace.
 */
export async function runTestFiles(
  files: string[],
  options: RunTestFilesOptions,
): Promise<TestResult[]> {
  const results = await runOnce(files, options);
  const [first] = results;
  if (results.length !== 1 || !first.output.includes(RUNNER_PANIC)) return results;
  console.log(
    `Deno's test runner ended itself ("${RUNNER_PANIC}"), as it does on a busy host: again.`,
  );
  return await runOnce(files, options);
}

async function runOnce(files: string[], options: RunTestFilesOptions): Promise<TestResult[]> {
  if (files.length === 0) return [];
  // A test that gives up being root for its whole process must still be able to report.
  const reportDir = await Deno.makeTempDir({ prefix: "paddock-junit-" });
  await Deno.chmod(reportDir, 0o777);
  const reportPath = `${reportDir}/report.xml`;
  const started = performance.now();
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--allow-all",
        "--no-check",
        ...(options.parallel ? ["--parallel"] : []),
        `--junit-path=${reportPath}`,
        ...files,
      ],
      cwd: repositoryRoot,
      env: { ...options.env, DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
      stdout: options.quiet ? "piped" : "inherit",
      stderr: options.quiet ? "piped" : "inherit",
    }).spawn();
    const output = options.quiet ? collect(child) : Promise.resolve("");
    const late = await endWithin(child, options);
    const status = await child.status;
    const results = readJunit(await Deno.readTextFile(reportPath).catch(() => ""));
    const seconds = (performance.now() - started) / 1000;
    const fail = async (file: string, name: string, more: Partial<TestResult> = {}) => {
      const text = (await output).slice(-keptOutput);
      results.push({ file, name, outcome: "failed", seconds, output: text, ...more });
    };
    if (late) {
      await fail(files.length === 1 ? files[0] : "", late, { cutOff: true });
      return results;
    }
    // A report names the file that defines a test, which may be a suite that several share: only
    // that nothing ran at all is sure.
    if (results.length === 0) await fail(files.join(", "), "no test has run");
    if (!status.success && !results.some(({ outcome }) => outcome === "failed")) {
      await fail("", `deno test ended with code ${status.code}`);
    }
    return results;
  } finally {
    await Deno.remove(reportDir, { recursive: true });
  }
}

/** Undefined when the process ended by itself, otherwise why it was ended. */
async function endWithin(
  child: Deno.ChildProcess,
  { signal, timeoutMs }: RunTestFilesOptions,
): Promise<string | undefined> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const { promise: stopped, resolve } = Promise.withResolvers<"stopped">();
  const onStop = () => resolve("stopped");
  stop.addEventListener("abort", onStop, { once: true });
  if (stop.aborted) onStop();
  const first = await Promise.race([child.status, stopped]);
  stop.removeEventListener("abort", onStop);
  if (first !== "stopped") return undefined;
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  await child.status;
  clearTimeout(killer);
  return signal.aborted ? "interrupted" : `did not end within ${timeoutMs / 1000} s`;
}

async function collect(child: Deno.ChildProcess): Promise<string> {
  const texts = await Promise.all(
    [child.stdout, child.stderr].map((stream) => new Response(stream).text()),
  );
  return texts.join("");
}

/** The path inside the checkout of a test file as a report or a caller names it. */
export function insideCheckout(path: string): string {
  const plain = path.startsWith("file:") ? fileURLToPath(path) : path;
  return relative(repositoryRoot, resolve(repositoryRoot, plain));
}

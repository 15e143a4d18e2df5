export interface ExampleResult {
  file: string;
  code: number;
  output: string;
  milliseconds: number;
}

const deadlineMs = 120_000;

/** Runs one example as a user would, with its own Deno process. */
export async function runExample(
  file: string,
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<ExampleResult> {
  const started = performance.now();
  const deadline = AbortSignal.timeout(deadlineMs);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", file],
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.any([signal, deadline]),
  }).output();
  const decoder = new TextDecoder();
  let output = decoder.decode(stdout) + decoder.decode(stderr);
  if (deadline.aborted) output += `ended: not done after ${deadlineMs / 1000} s\n`;
  return { file, code, output, milliseconds: performance.now() - started };
}

import { TextLineStream } from "./text_lines.ts";

export interface ExampleResult {
  file: string;
  code: number;
  milliseconds: number;
}

const deadlineMs = 120_000;

/** Runs one example as a user would, with its own Deno process; each line is handed on at once. */
export async function runExample(
  file: string,
  env: Record<string, string>,
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<ExampleResult> {
  const started = performance.now();
  const deadline = AbortSignal.timeout(deadlineMs);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", file],
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.any([signal, deadline]),
  }).spawn();
  const [{ code }] = await Promise.all([
    child.status,
    eachLine(child.stdout, onLine),
    eachLine(child.stderr, onLine),
  ]);
  if (deadline.aborted) onLine(`ended: not done after ${deadlineMs / 1000} s`);
  return { file, code, milliseconds: performance.now() - started };
}

async function eachLine(output: ReadableStream<Uint8Array>, onLine: (line: string) => void) {
  const lines = output.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) onLine(line);
}

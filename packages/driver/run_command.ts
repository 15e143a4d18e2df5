export interface CommandOptions {
  signal?: AbortSignal;
  /** Ends the command with SIGKILL when it takes longer. */
  deadlineMs?: number;
  stdin?: string;
}

export interface CommandResult {
  ok: boolean;
  code: number;
  stdout: string;
  stderr: string;
}

const DEFAULT_DEADLINE_MS = 15_000;
const MAX_ERROR_TEXT = 2_000;

/** Nothing of the daemon's environment (tokens, proxies) reaches a tool it runs. */
const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
};

/** Runs a host tool to its end. Throws only when it cannot be started or is cut off. */
export async function runCommand(
  argv: string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
  const deadline = AbortSignal.timeout(deadlineMs);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  signal.throwIfAborted();
  const child = new Deno.Command(argv[0], {
    args: argv.slice(1),
    clearEnv: true,
    env: ENVIRONMENT,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  signal.addEventListener("abort", kill, { once: true });
  try {
    const output = child.output();
    if (options.stdin !== undefined) await writeInput(child.stdin, options.stdin);
    const { code, stdout, stderr } = await output;
    if (deadline.aborted) throw new Error(`${argv[0]} took longer than ${deadlineMs} ms`);
    options.signal?.throwIfAborted();
    const decoder = new TextDecoder();
    return {
      ok: code === 0,
      code,
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr).trim().slice(0, MAX_ERROR_TEXT),
    };
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

async function writeInput(stdin: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // The tool ended without reading its input; its exit code says why.
  }
}

import { ImageBuildError } from "./image_build_error.ts";

export interface RunChildOptions {
  signal?: AbortSignal;
  timeoutMs: number;
  onLine?: (line: string) => void;
  env?: Record<string, string>;
  /** What its user can do when it fails. */
  hint?: string;
  cwd?: string;
  /** What its error says could not be built. */
  subject?: string;
}

const keptLines = 40;

/**
 * Runs a program to its end and throws with its last lines when it fails. The program and all its
 * descendants die with this process: `setpriv` binds the first child to us, and the process
 * namespace that `unshare` opens binds the rest to that child. A build that was killed therefore
 * leaves files behind, never a running builder.
 */
export async function runChild(argv: string[], options: RunChildOptions): Promise<string[]> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  signal.throwIfAborted();
  const child = new Deno.Command("setpriv", {
    args: [
      "--pdeathsig",
      "KILL",
      "unshare",
      "--pid",
      "--fork",
      "--kill-child=KILL",
      "--mount-proc",
      "--",
      ...argv,
    ],
    env: options.env,
    cwd: options.cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // `unshare` ignores gentler signals while it waits; the namespace takes everything in it along.
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  const tail: string[] = [];
  const take = async (stream: ReadableStream<Uint8Array>) => {
    let rest = "";
    const flush = (line: string) => {
      if (line.trim() === "") return;
      tail.push(line);
      if (tail.length > keptLines) tail.shift();
      options.onLine?.(line);
    };
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split(/[\r\n]/);
      rest = lines.pop() ?? "";
      for (const line of lines) flush(line);
      if (rest.length > 64 * 1024) rest = "";
    }
    flush(rest);
  };
  // The pipes end when the last descendant has: nothing writes into the tree any more.
  const [status] = await Promise.all([child.status, take(child.stdout), take(child.stderr)]);
  signal.removeEventListener("abort", kill);
  if (options.signal?.aborted) throw options.signal.reason;
  if (deadline.aborted) {
    throw new ImageBuildError(`${argv[0]} did not end within ${options.timeoutMs / 1000} s`, {
      output: tail,
      subject: options.subject,
    });
  }
  if (!status.success) {
    throw new ImageBuildError(`${argv[0]} ended with code ${status.code}`, {
      output: tail,
      hint: options.hint,
      subject: options.subject,
    });
  }
  return tail;
}

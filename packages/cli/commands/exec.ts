import { constants } from "node:os";
import process from "node:process";
import { Readable } from "node:stream";
import { Sandbox } from "@paddock/sandbox";
import { usageError } from "../cli_error.ts";
import { clientOptions } from "../connection.ts";
import { exitCodes } from "../exit_codes.ts";
import { onSignals } from "../signals.ts";
import { expectTerminal, runTerminal } from "../terminal/run_terminal.ts";
import { withExecExitCodes } from "./exec_failure.ts";
import type { ConnectionOptions } from "./options.ts";

interface ExecOptions extends ConnectionOptions {
  env?: Record<string, string>;
  cwd?: string;
  stdin: boolean;
  sudo?: boolean;
  tty?: boolean;
}

export async function execCommand(
  id: string,
  words: string[],
  options: ExecOptions,
): Promise<void> {
  if (options.tty) expectTerminal("Without --tty the command takes input from a pipe.");
  process.exitCode = await withExecExitCodes(() => execute(id, words, options));
}

async function execute(id: string, words: string[], options: ExecOptions): Promise<number> {
  // Options after the id are the command's own, so the parser hands the separator on as well.
  const line = words[0] === "--" ? words.slice(1) : words;
  if (line.length === 0) throw usageError("no command given", `paddock exec ${id} -- ls`);
  const [command, ...args] = options.sudo ? ["sudo", ...line] : line;
  const sandbox = await Sandbox.connect(id, clientOptions(options));
  try {
    const { env, cwd } = options;
    if (options.tty) return await runTerminal(sandbox, { command, args, env, cwd });
    const child = await sandbox.spawn(command, {
      args,
      env,
      cwd,
      stdin: options.stdin ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    });
    using _signals = onSignals(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"], (signal) => {
      // The command may just have ended: then there is nothing left to tell.
      child.kill(signal).catch(() => {});
    });
    if (options.stdin) forwardInput(child.stdin!);
    const [status] = await Promise.all([
      child.status,
      forwardOutput(child.stdout!, process.stdout),
      forwardOutput(child.stderr!, process.stderr),
    ]);
    if (!status.signal) return status.code;
    const numbers: Record<string, number> = constants.signals;
    return exitCodes.signalBase + (numbers[status.signal] ?? 0);
  } finally {
    await sandbox.close();
  }
}

/** Not awaited: a command may end, or close its input, long before ours is at its end. */
function forwardInput(stdin: WritableStream<Uint8Array>): void {
  const input = Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>;
  input.pipeTo(stdin).catch(() => {});
}

/** Waits for the reader of our output, so that a slow one slows the command down, not this process. */
async function forwardOutput(
  output: ReadableStream<Uint8Array>,
  target: NodeJS.WriteStream,
): Promise<void> {
  for await (const chunk of output) {
    if (!target.write(chunk)) {
      await new Promise<void>((resolve) => target.once("drain", () => resolve()));
    }
  }
}

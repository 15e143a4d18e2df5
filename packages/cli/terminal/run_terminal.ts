import { spawnSync } from "node:child_process";
import { constants } from "node:os";
import process from "node:process";
import type { Sandbox } from "@paddock/sandbox";
import { CliError, usageError } from "../cli_error.ts";
import { exitCodes } from "../exit_codes.ts";
import { onSignals } from "../signals.ts";
import { EscapeKeys } from "./escape_keys.ts";
import { termForGuest } from "./term_for_guest.ts";

export interface TerminalCommand {
  command?: string;
  args?: string[];
  env?: Record<string, string>;
  cwd?: string;
}

/** Refuses what a terminal cannot be made of, before a sandbox is asked for. */
export function expectTerminal(instead: string): void {
  if (process.stdin.isTTY && process.stdout.isTTY) return;
  throw usageError("standard input and output must be a terminal", instead);
}

/**
 * Puts this program's terminal in front of a program in the sandbox until that ends, and returns its
 * exit code. Whatever happens, the terminal is as it was before.
 */
export async function runTerminal(sandbox: Sandbox, options: TerminalCommand): Promise<number> {
  const colours = process.env.COLORTERM;
  const terminal = await sandbox.terminal({
    ...options,
    env: { ...colours ? { COLORTERM: colours } : {}, ...options.env },
    term: termForGuest(process.env.TERM),
    columns: process.stdout.columns || undefined,
    rows: process.stdout.rows || undefined,
  });
  using _raw = rawMode();
  using _size = onResize((columns, rows) => terminal.resize(columns, rows).catch(() => {}));
  const left = Promise.withResolvers<number>();
  using _signals = onSignals(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"], (signal) => {
    left.resolve(codeOfSignal(signal));
  });
  const typing = forwardTyped((typed) => terminal.write(typed), () => left.resolve(exitCodes.ok));
  try {
    const ended = Promise.all([terminal.status, show(terminal.output)]);
    const result = await Promise.race([ended, left.promise]);
    if (typeof result === "number") {
      // What the program set up on the screen is not taken back by it any more.
      process.stdout.write(USUAL_SCREEN);
      ended.catch(() => {});
      return result;
    }
    const [status] = result;
    return status.signal ? codeOfSignal(status.signal) : status.code;
  } catch (error) {
    process.stdout.write(USUAL_SCREEN);
    throw error;
  } finally {
    typing.stop();
  }
}

/** Mouse, paste and keypad modes off, the first screen, a cursor, plain letters, a line of its own. */
const USUAL_SCREEN = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>" +
  "\x1b[?1049l\x1b[?25h\x1b[0m\r\n";

function codeOfSignal(signal: string): number {
  const numbers: Record<string, number> = constants.signals;
  return exitCodes.signalBase + (numbers[signal] ?? 0);
}

/**
 * Keys arrive one by one and mean nothing here, and what comes is shown as it is, until this is
 * disposed of or the process exits. By `stty`, because the runtime's raw mode still adds carriage
 * returns, which editors do not expect.
 */
function rawMode(): Disposable {
  const before = stty("-g").trim();
  const restore = () => void stty(before);
  process.on("exit", restore);
  stty("raw", "-echo");
  return {
    [Symbol.dispose]() {
      process.off("exit", restore);
      restore();
    },
  };
}

function stty(...args: string[]): string {
  const { status, stdout, error } = spawnSync("stty", args, {
    stdio: ["inherit", "pipe", "ignore"],
    encoding: "utf8",
  });
  if (error || status !== 0) throw new CliError("the terminal cannot be set up", { cause: error });
  return stdout;
}

function onResize(listener: (columns: number, rows: number) => void): Disposable {
  const handler = () => {
    const { columns, rows } = process.stdout;
    if (columns && rows) listener(columns, rows);
  };
  process.on("SIGWINCH", handler);
  return { [Symbol.dispose]: () => void process.off("SIGWINCH", handler) };
}

/** Reads no further while the program in the sandbox does not. */
function forwardTyped(
  type: (typed: Uint8Array<ArrayBuffer>) => Promise<void>,
  leave: () => void,
): { stop(): void } {
  const keys = new EscapeKeys();
  const { stdin } = process;
  const onData = async (data: Uint8Array) => {
    const filtered = keys.filter(data);
    stdin.pause();
    // The program may have ended, or the connection be lost: whoever waits for those says so.
    if (filtered.typed.length > 0 && !filtered.leave) await type(filtered.typed).catch(() => {});
    if (filtered.leave) leave();
    else stdin.resume();
  };
  stdin.on("data", onData);
  return {
    stop() {
      stdin.off("data", onData);
      stdin.pause();
    },
  };
}

async function show(output: ReadableStream<Uint8Array>): Promise<void> {
  for await (const chunk of output) {
    if (process.stdout.write(chunk)) continue;
    await new Promise<void>((resolve) => process.stdout.once("drain", () => resolve()));
  }
}

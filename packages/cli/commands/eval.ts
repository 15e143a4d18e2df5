import process from "node:process";
import { text } from "node:stream/consumers";
import { inspect } from "node:util";
import { Sandbox, SandboxSdkError } from "@paddock/sandbox";
import { CliError, usageError } from "../cli_error.ts";
import { clientOptions } from "../connection.ts";
import { colourOn, printLine } from "../output.ts";
import { onSignals } from "../signals.ts";
import { creation, type CreationOptions } from "./create.ts";
import type { JsonOption } from "./options.ts";

export async function evalCommand(
  first: string | undefined,
  second: string | undefined,
  options: CreationOptions & JsonOption,
): Promise<void> {
  const { id, code } = await readArguments(first, second);
  const sandbox = id === undefined
    ? await Sandbox.create(creation(options))
    : await Sandbox.connect(id, clientOptions(options));
  // Closing ends a sandbox that was made for this, and only the connection to any other.
  using _signals = onSignals(["SIGINT", "SIGTERM"], (signal) => {
    sandbox.close().finally(() => process.exit(signal === "SIGINT" ? 130 : 143));
  });
  try {
    const value = await sandbox.deno.eval(code).catch((error) => {
      throw error instanceof SandboxSdkError ? error : thrownInside(error);
    });
    printValue(value, options.json ?? false);
  } finally {
    await sandbox.close();
  }
}

async function readArguments(
  first: string | undefined,
  second: string | undefined,
): Promise<{ id?: string; code: string }> {
  if (first === undefined) {
    throw usageError("no code given", "paddock eval '1 + 1', or `-` for code from standard input");
  }
  const id = second === undefined ? undefined : first;
  const code = second ?? first;
  if (id === undefined && /^sbx_\w+$/.test(code)) {
    throw usageError(`no code given for ${code}`, `paddock eval ${code} '1 + 1'`);
  }
  return { id, code: code === "-" ? await text(process.stdin) : code };
}

/** What the code threw, as a REPL shows it, with the lines of its stack that are the code's own. */
function thrownInside(error: unknown): CliError {
  if (!(error instanceof Error)) {
    return new CliError(`the code threw ${inspect(error)}`, { cause: error });
  }
  const frames = (error.stack ?? "").split("\n")
    .filter((line) => /^\s+at /.test(line) && !line.includes("file:///"));
  return new CliError(`${error.name}: ${error.message}`, {
    hint: frames.map((line) => line.trim()).join("\n") || undefined,
    cause: error,
  });
}

function printValue(value: unknown, json: boolean): void {
  if (json) {
    const encoded = JSON.stringify(value, plainValue, process.stdout.isTTY ? 2 : undefined);
    printLine(encoded ?? "null");
    return;
  }
  // A string is printed as it is, so that it can be piped; anything else as a REPL would show it.
  if (typeof value === "string") printLine(value);
  else printLine(inspect(value, { depth: 8, colors: colourOn(), maxArrayLength: 1000 }));
}

/** What JSON has no word for, in the nearest that it has. */
function plainValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  return value;
}

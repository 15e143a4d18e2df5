import { CliError } from "./cli_error.ts";
import { exitCodes } from "./exit_codes.ts";
import { visible } from "./format.ts";

interface Described {
  message: string;
  code?: string;
  hint?: string;
  traceId?: string;
  exitCode: number;
}

/** Prints an error as a person reads it, or as JSON on standard error; returns the exit code. */
export function reportError(error: unknown, options: { json: boolean; verbose: boolean }): number {
  const described = describeError(error);
  if (options.json) {
    const { exitCode: _, ...body } = described;
    console.error(JSON.stringify({ error: body }));
    return described.exitCode;
  }
  const code = described.code === undefined ? "" : ` (${described.code})`;
  print(`paddock: ${described.message}${code}`);
  if (described.hint) print(`  ${described.hint.replaceAll("\n", "\n  ")}`);
  if (described.traceId) print(`  trace id: ${described.traceId}`);
  if (options.verbose && error instanceof Error && error.stack) print(error.stack);
  return described.exitCode;
}

/** Names and messages in it may be a sandbox's, which has no business with this terminal. */
function print(text: string): void {
  console.error(text.split("\n").map(visible).join("\n"));
}

/** `PaddockError` and the SDK's errors are known by their fields: any of them may carry a hint. */
export function describeError(error: unknown): Described {
  if (!(error instanceof Error)) return { message: String(error), exitCode: exitCodes.failure };
  const fields = error as Error & { code?: unknown; hint?: unknown; traceId?: unknown };
  return {
    message: withoutRefusal(error.message).replace(/\.$/, "") || error.name,
    code: typeof fields.code === "string" ? fields.code : undefined,
    hint: typeof fields.hint === "string" ? fields.hint : undefined,
    traceId: typeof fields.traceId === "string" ? fields.traceId : undefined,
    exitCode: error instanceof CliError ? error.exitCode : exitCodes.failure,
  };
}

/** The client library puts code and trace id into its messages; here they have places of their own. */
function withoutRefusal(message: string): string {
  return message.replace(/ \(status \d+, code [^()]*\)$/, "");
}

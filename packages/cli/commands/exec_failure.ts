import { CliError } from "../cli_error.ts";
import { exitCodes } from "../exit_codes.ts";
import { describeError } from "../report_error.ts";

/** Gives what fails in Paddock, not in the command that is run, the exit codes that tell of it. */
export async function withExecExitCodes(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { message, hint, ...fields } = describeError(error);
    const exitCode = exitCodeOfFailure(error);
    throw Object.assign(new CliError(message, { hint, exitCode, cause: error }), fields, {
      exitCode,
    });
  }
}

/** Told apart like a shell does, so that scripts can tell a missing program from a lost sandbox. */
function exitCodeOfFailure(error: unknown): number {
  const { name, code } = error as { name?: string; code?: string };
  if (name === "NotFound" || code === "ENOENT") return exitCodes.notFound;
  if (name === "PermissionDenied" || code === "EACCES") return exitCodes.notExecutable;
  return exitCodes.execFailed;
}

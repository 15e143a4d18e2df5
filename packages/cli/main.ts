import process from "node:process";
import { CommanderError } from "commander";
import { exitCodes } from "./exit_codes.ts";
import { createProgram } from "./program.ts";
import { reportError } from "./report_error.ts";

process.exit(await run(Deno.args));

async function run(args: string[]): Promise<number> {
  // A reader such as `head` that goes away is no failure of ours, and nothing is left to say to it.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCodes.ok);
    throw error;
  });
  const program = createProgram();
  if (args.length === 0) {
    program.outputHelp();
    return exitCodes.ok;
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    // What comes after `--` belongs to the command in the sandbox.
    const own = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
    return reportError(error, { json: own.includes("--json"), verbose: own.includes("--verbose") });
  }
}

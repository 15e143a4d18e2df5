import type { SandboxCommandResult } from "./command_builder.ts";
import { SandboxSdkError } from "./errors.ts";

/** A command run by `sandbox.sh` ended with an exit code other than 0. */
export class SandboxCommandError extends SandboxSdkError {
  override name = "SandboxCommandError";
  /** Exit code of the command; 128 + n when signal n ended it. */
  declare readonly code: number;
  /** Status and captured output, as the command would have returned them. */
  readonly result: SandboxCommandResult | undefined;

  constructor(message: string, code: number, result?: SandboxCommandResult) {
    super(message);
    this.code = code;
    // Output may be large or secret: it is there to be asked for, not to be printed with the error.
    this.result = result;
    Object.defineProperty(this, "result", { enumerable: false });
  }
}

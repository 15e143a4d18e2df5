import { SandboxSdkError } from "./errors.ts";

/** Building a template failed. There is nothing left of it; one that had the name before still has it. */
export class TemplateBuildError extends SandboxSdkError {
  override name = "TemplateBuildError";
  /** What failed: a field of the definition, such as `packages`, `files[0]`, `commands[2]`, `start`. */
  readonly step: string;
  /** What is wrong, without the output that the message ends with. */
  readonly problem: string;
  /** Exit code of the program that failed, if one did. */
  declare readonly exitCode?: number;
  /** The end of what the step printed. */
  readonly output: string;

  constructor(
    step: string,
    problem: string,
    options: {
      output?: string;
      exitCode?: number;
      code?: string;
      hint?: string;
      cause?: unknown;
    } = {},
  ) {
    const { output = "", exitCode, code = "TEMPLATE_BUILD_FAILED", ...more } = options;
    const shown = output.trimEnd();
    super(`${step}: ${problem}${shown === "" ? "" : `\n${shown}`}`, {
      code,
      ...more,
    });
    this.step = step;
    this.problem = problem;
    this.output = output;
    if (exitCode !== undefined) this.exitCode = exitCode;
  }
}

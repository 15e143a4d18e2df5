import { PaddockError } from "@paddock/protocol";

export interface ImageBuildErrorOptions {
  /** What the program that failed printed last. */
  output?: readonly string[];
  hint?: string;
  cause?: unknown;
  /** What was to be built; "The guest image" when not given. */
  subject?: string;
}

const shownLines = 12;

/** The guest image, or a layer beside it, could not be built. The message is for the host's operator. */
export class ImageBuildError extends PaddockError {
  readonly output: readonly string[];

  constructor(what: string, options: ImageBuildErrorOptions = {}) {
    const { output = [], hint, cause, subject = "The guest image" } = options;
    const shown = output.slice(-shownLines).map((line) => `\n  ${line}`).join("");
    super("IMAGE_BUILD_FAILED", {
      message: `${subject} could not be built: ${what}${shown}`,
      hint,
      cause,
    });
    this.output = output;
  }
}

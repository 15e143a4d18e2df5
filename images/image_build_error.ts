import { PaddockError } from "@paddock/protocol";

export interface ImageBuildErrorOptions {
  /** What the program that failed printed last. */
  output?: readonly string[];
  hint?: string;
  cause?: unknown;
}

const shownLines = 12;

/** The guest image could not be built. The message is for the host's operator. */
export class ImageBuildError extends PaddockError {
  readonly output: readonly string[];

  constructor(what: string, { output = [], hint, cause }: ImageBuildErrorOptions = {}) {
    const shown = output.slice(-shownLines).map((line) => `\n  ${line}`).join("");
    super("IMAGE_BUILD_FAILED", {
      message: `The guest image could not be built: ${what}${shown}`,
      hint,
      cause,
    });
    this.output = output;
  }
}

/** The guest image could not be built; `output` holds the last lines of the program that failed. */
export class ImageBuildError extends Error {
  override name = "ImageBuildError";
  readonly output: readonly string[];

  constructor(what: string, output: readonly string[] = [], options?: ErrorOptions) {
    const shown = output.slice(-12).map((line) => `  ${line}`).join("\n");
    super(`The guest image could not be built: ${what}${shown ? `\n${shown}` : ""}`, options);
    this.output = output;
  }
}

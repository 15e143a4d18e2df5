import type { ChildProcessOutput, ChildProcessStatus } from "./child_process_types.ts";

type Bytes = Uint8Array<ArrayBuffer> | null;

/** What a process printed. Texts are made when they are asked for, and shown instead of the bytes. */
export class CollectedOutput implements ChildProcessOutput {
  readonly #texts = new Map<Bytes, string | null>();

  constructor(
    readonly status: ChildProcessStatus,
    readonly stdout: Bytes,
    readonly stderr: Bytes,
  ) {}

  get stdoutText(): string | null {
    return this.#text(this.stdout);
  }

  get stderrText(): string | null {
    return this.#text(this.stderr);
  }

  #text(bytes: Bytes): string | null {
    if (bytes === null) return null;
    let text = this.#texts.get(bytes);
    if (text === undefined) this.#texts.set(bytes, text = new TextDecoder().decode(bytes));
    return text;
  }

  [Symbol.for("nodejs.util.inspect.custom")](
    _depth: number,
    options: object,
    inspect?: (value: unknown, options: object) => string,
  ): string {
    const { status, stdoutText, stderrText } = this;
    const shown = { status, stdoutText, stderrText };
    return inspect ? inspect(shown, options) : JSON.stringify(shown);
  }
}

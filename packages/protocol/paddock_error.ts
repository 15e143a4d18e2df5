import { type Blame, type ErrorCode, type ErrorEntry, errorRegistry } from "./error_registry.ts";

export interface PaddockErrorOptions {
  /** More precise than the registry's message; must be safe to show to the caller. */
  message?: string;
  /** The configuration field or parameter that is wrong. */
  field?: string;
  hint?: string;
  /** For the log. Never shown to a caller over HTTP or JSON-RPC. */
  cause?: unknown;
  /** Machine-readable additions, for example `{ regions: […] }` or `{ limit, max }`. */
  details?: Record<string, unknown>;
}

/** An error with a code from the registry. */
export class PaddockError extends Error {
  override readonly name = "PaddockError";
  readonly code: ErrorCode;
  readonly field?: string;
  readonly hint?: string;
  readonly details?: Record<string, unknown>;

  constructor(code: ErrorCode, options: PaddockErrorOptions = {}) {
    const entry: ErrorEntry = errorRegistry[code];
    super(
      options.message ?? entry.message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    if (options.field !== undefined) this.field = options.field;
    const hint = options.hint ?? entry.hint;
    if (hint !== undefined) this.hint = hint;
    if (options.details !== undefined) this.details = options.details;
  }

  get blame(): Blame {
    return errorRegistry[this.code].blame;
  }

  get status(): number {
    return errorRegistry[this.code].status;
  }

  get rpcCode(): number {
    return errorRegistry[this.code].rpcCode;
  }

  /** The message a caller may see: of our own failures, only what the registry says. */
  get publicMessage(): string {
    return this.code === "INTERNAL_ERROR" ? errorRegistry.INTERNAL_ERROR.message : this.message;
  }

  /** The body of an HTTP error answer (`apiErrorSchema`) and the `data` of a JSON-RPC error. */
  toJSON():
    & { code: ErrorCode; message: string; field?: string; hint?: string }
    & Record<
      string,
      unknown
    > {
    return {
      ...this.details,
      code: this.code,
      message: this.publicMessage,
      ...(this.field === undefined ? {} : { field: this.field }),
      ...(this.hint === undefined ? {} : { hint: this.hint }),
    };
  }

  /** Anything thrown, as a PaddockError: foreign errors become INTERNAL_ERROR with a cause. */
  static from(error: unknown, fallback: ErrorCode = "INTERNAL_ERROR"): PaddockError {
    if (error instanceof PaddockError) return error;
    return new PaddockError(fallback, { cause: error });
  }
}

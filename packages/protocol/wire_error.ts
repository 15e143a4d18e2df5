import { errorClass } from "./error_classes.ts";
import { isErrorCode } from "./error_registry.ts";
import { PaddockError } from "./paddock_error.ts";

/** An error as `/api/v3` carries it. */
export interface WireError {
  constructorName: string;
  message: string;
  code: string | null;
  stack: string | null;
  cause: WireError | null;
  errors: WireError[] | null;
  name: string | null;
  suppressed: WireError | null;
  error: WireError | null;
}

/** Nesting of causes and aggregates beyond which errors are left out. */
export const MAX_ERROR_DEPTH = 8;
const MAX_AGGREGATE = 100;
const MAX_TEXT = 64 * 1024;

/**
 * Any thrown value as an error object. Cycles are cut, depth and length are bounded, and getters
 * that throw are survived: the error may come from code that nobody trusts.
 */
export function toWireError(thrown: unknown): WireError {
  return encode(asError(thrown), 0, new Set());
}

/** Thrown values need not be errors; the wire carries errors only. */
export function asError(thrown: unknown): Error {
  if (isError(thrown)) return thrown;
  let text: string;
  try {
    text = typeof thrown === "string" ? thrown : `Uncaught ${String(thrown)}`;
  } catch {
    text = "Uncaught value that cannot be shown";
  }
  return new Error(text);
}

export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error ||
      typeof DOMException !== "undefined" && value instanceof DOMException;
  } catch {
    // A proxy whose traps throw.
    return false;
  }
}

function encode(error: Error, depth: number, ancestors: Set<Error>): WireError {
  ancestors.add(error);
  const nested = (value: unknown): WireError | null =>
    isError(value) && depth < MAX_ERROR_DEPTH && !ancestors.has(value)
      ? encode(value, depth + 1, ancestors)
      : null;
  const errors = read(error, "errors");
  const wire: WireError = {
    constructorName: constructorName(error),
    message: text(read(error, "message")) ?? "",
    code: text(read(error, "code")),
    stack: text(read(error, "stack")),
    cause: nested(read(error, "cause")),
    errors: Array.isArray(errors) && errors.every(isError)
      ? errors.slice(0, MAX_AGGREGATE).map(nested).filter((item) => item !== null)
      : null,
    name: text(read(error, "name")),
    suppressed: nested(read(error, "suppressed")),
    error: nested(read(error, "error")),
  };
  ancestors.delete(error);
  return wire;
}

function constructorName(error: Error): string {
  const constructor = read(error, "constructor");
  return (typeof constructor === "function" ? text(read(constructor, "name")) : null) || "Error";
}

function read(target: object, key: string): unknown {
  try {
    return (target as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value.slice(0, MAX_TEXT) : null;
}

/**
 * The error an error object stands for, of the class it names where this side has it; else an
 * `Error` with that name. Accepts anything: the other side may be hostile.
 */
export function fromWireError(wire: unknown): Error {
  return decode(wire, 0);
}

function decode(value: unknown, depth: number): Error {
  if (typeof value !== "object" || value === null) {
    return new Error(typeof value === "string" ? value.slice(0, MAX_TEXT) : "Unknown error");
  }
  const wire = value as Partial<Record<keyof WireError, unknown>>;
  const nested = (inner: unknown): Error | undefined =>
    typeof inner === "object" && inner !== null && depth < MAX_ERROR_DEPTH
      ? decode(inner, depth + 1)
      : undefined;
  const error = construct(wire, nested);
  const cause = nested(wire.cause);
  if (cause && error.cause === undefined) define(error, "cause", cause);
  const code = text(wire.code);
  // A DOMException's code is a number the class computes.
  if (code !== null && !(error instanceof PaddockError) && !isDomException(error)) {
    Object.defineProperty(error, "code", {
      value: code,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
  const stack = text(wire.stack);
  if (stack !== null) define(error, "stack", stack);
  return error;
}

function construct(
  wire: Partial<Record<keyof WireError, unknown>>,
  nested: (inner: unknown) => Error | undefined,
): Error {
  const className = text(wire.constructorName) ?? "Error";
  const message = text(wire.message) ?? "";
  const name = text(wire.name);
  if (className === "PaddockError" && isErrorCode(wire.code)) {
    return new PaddockError(wire.code, { message, cause: nested(wire.cause) });
  }
  if (className === "DOMException" && typeof DOMException !== "undefined") {
    return new DOMException(message, name ?? "Error");
  }
  if (className === "AggregateError") {
    const errors = Array.isArray(wire.errors) ? wire.errors.slice(0, MAX_AGGREGATE) : [];
    return new AggregateError(errors.map(nested).filter((item) => item !== undefined), message);
  }
  if (className === "SuppressedError") {
    const error = typeof SuppressedError === "function"
      ? new SuppressedError(nested(wire.error), nested(wire.suppressed), message)
      : Object.assign(new Error(message), {
        error: nested(wire.error),
        suppressed: nested(wire.suppressed),
      });
    if (error.name !== "SuppressedError") define(error, "name", "SuppressedError");
    return error;
  }
  const known = errorClass(className);
  const error = known ? new known(message) : new Error(message);
  const shown = name ?? className;
  if (shown && error.name !== shown) define(error, "name", shown);
  return error;
}

function isDomException(error: Error): boolean {
  return typeof DOMException !== "undefined" && error instanceof DOMException;
}

function define(error: Error, key: string, value: unknown): void {
  try {
    Object.defineProperty(error, key, { value, configurable: true, writable: true });
  } catch {
    // A frozen or exotic error keeps what it has.
  }
}

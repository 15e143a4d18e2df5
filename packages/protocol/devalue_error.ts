import { fromWireError, isError, MAX_ERROR_DEPTH } from "./wire_error.ts";

/** Marks error payloads of `/api/v2`; clients 0.2 look for it. */
const MARKER = "__ERROR__";

/** Classes that client 0.2 can rebuild; any other travels as the nearest of them. */
const REBUILT = new Set([
  "Error",
  "TypeError",
  "ReferenceError",
  "SyntaxError",
  "RangeError",
  "EvalError",
  "URIError",
  "AggregateError",
  "DOMException",
  "SuppressedError",
]);
const NESTED_KEYS = new Set(["message", "cause", "errors", "error", "suppressed", "__proto__"]);
const MAX_PROPERTIES = 32;
const MAX_TEXT = 64 * 1024;

interface ErrorPayload {
  [MARKER]: true;
  constructorName: string;
  message: string;
  name?: string;
  cause?: unknown;
  errors?: unknown[];
  error?: unknown;
  suppressed?: unknown;
  extraProperties: Record<string, unknown>;
}

type Reducers = Record<string, (value: unknown) => unknown>;

/**
 * Devalue reducers for one `stringify` call. Per call, because the depth of nested causes and the
 * errors already written are remembered: a cycle of causes is cut where it closes.
 */
export function devalueErrorReducers(): Reducers {
  const depths = new Map<Error, number>();
  return {
    Error: (value) => isError(value) ? toPayload(value, depths) : undefined,
  };
}

function toPayload(error: Error, depths: Map<Error, number>): ErrorPayload {
  const depth = depths.get(error) ?? 0;
  depths.set(error, depth);
  const nested = (value: unknown): unknown => {
    if (!isError(value)) return isPlainScalar(value) ? value : undefined;
    if (depth >= MAX_ERROR_DEPTH || depths.has(value)) return undefined;
    depths.set(value, depth + 1);
    return value;
  };
  const className = rebuiltClass(error);
  const payload: ErrorPayload = {
    [MARKER]: true,
    constructorName: className,
    message: String(read(error, "message") ?? "").slice(0, MAX_TEXT),
    extraProperties: className === "DOMException"
      ? pick(error, ["stack"])
      : pick(error, ["stack", "name", "code", ...ownKeys(error)]),
  };
  const cause = nested(read(error, "cause"));
  if (cause !== undefined) {
    // The classes whose payload has no place for a cause get it as a plain property.
    if (className === "TypeError" || className === "RangeError" || className === "SyntaxError") {
      payload.extraProperties.cause = cause;
    } else if (className === "ReferenceError" || className === "SuppressedError") {
      payload.extraProperties.cause = cause;
    } else if (className !== "DOMException") {
      payload.cause = cause;
    }
  }
  if (className === "DOMException") payload.name = String(read(error, "name") ?? "Error");
  if (className === "AggregateError") {
    const errors = read(error, "errors");
    payload.errors = Array.isArray(errors)
      ? errors.slice(0, 100).map(nested).filter((item) => item !== undefined)
      : [];
  }
  if (className === "SuppressedError") {
    payload.error = nested(read(error, "error"));
    payload.suppressed = nested(read(error, "suppressed"));
  }
  return payload;
}

function rebuiltClass(error: Error): string {
  let prototype = Object.getPrototypeOf(error);
  while (prototype && prototype !== Object.prototype) {
    const name = prototype.constructor?.name;
    if (REBUILT.has(name)) return name;
    prototype = Object.getPrototypeOf(prototype);
  }
  return "Error";
}

function ownKeys(error: Error): string[] {
  return Object.keys(error).filter((key) => !NESTED_KEYS.has(key)).slice(0, MAX_PROPERTIES);
}

function pick(error: Error, keys: string[]): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const key of keys) {
    const value = read(error, key);
    if (typeof value === "string") picked[key] = value.slice(0, MAX_TEXT);
    else if (value !== undefined && isPlainScalar(value)) picked[key] = value;
  }
  return picked;
}

function isPlainScalar(value: unknown): boolean {
  return value === null || ["string", "number", "boolean", "bigint"].includes(typeof value);
}

function read(target: object, key: string): unknown {
  try {
    return (target as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** Devalue revivers for what client 0.2 sends. Accepts anything below the tag. */
export const devalueErrorRevivers: Record<string, (value: unknown) => unknown> = {
  Error(value) {
    if (typeof value !== "object" || value === null || !(MARKER in value)) return value;
    const payload = value as Partial<ErrorPayload>;
    const extra = typeof payload.extraProperties === "object" && payload.extraProperties !== null
      ? payload.extraProperties
      : {};
    const error = fromWireError({
      constructorName: payload.constructorName,
      message: payload.message,
      name: payload.name ?? read(extra, "name"),
      code: read(extra, "code"),
      stack: read(extra, "stack"),
    });
    const cause = payload.cause ?? read(extra, "cause");
    if (cause !== undefined && cause !== null) define(error, "cause", cause);
    if (Array.isArray(payload.errors)) define(error, "errors", payload.errors);
    if (payload.constructorName === "SuppressedError") {
      define(error, "error", payload.error);
      define(error, "suppressed", payload.suppressed);
    }
    return error;
  },
};

function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, configurable: true, writable: true });
}

import { $ZodError } from "zod/v4/core";
import { type Notification, notificationMethods } from "./codec.ts";
import type { JsonRpcNotification } from "./json_rpc.ts";
import { isMethodName, type MethodName } from "./methods.ts";
import { PaddockError } from "./paddock_error.ts";

export function parseError(cause: unknown): PaddockError {
  const tooDeep = cause instanceof RangeError;
  return new PaddockError("PARSE_ERROR", {
    message: tooDeep
      ? "The message could not be parsed: it is nested too deeply or too large."
      : "The message could not be parsed.",
    cause,
  });
}

export function requireMethod(method: string): asserts method is MethodName {
  if (!isMethodName(method)) {
    throw new PaddockError("METHOD_NOT_FOUND", {
      message: `There is no method "${method.slice(0, 100)}".`,
    });
  }
}

interface Issue {
  code?: string;
  path: PropertyKey[];
  message: string;
  keys?: string[];
  errors?: Issue[][];
}

/** The one complaint out of many that helps most: of a union, that of the nearest alternative. */
export function worstIssue(issues: Issue[]): { field: string; message: string } {
  const [issue] = issues;
  if (issue.code === "invalid_union" && issue.errors?.length) {
    const nearest = issue.errors.reduce((best, other) => other.length < best.length ? other : best);
    const inner = worstIssue(nearest);
    const prefix = issue.path.map(String);
    return { ...inner, field: [...prefix, inner.field].filter((part) => part !== "").join(".") };
  }
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys" && issue.keys?.length) {
    return { field: [...path, issue.keys[0]].join("."), message: "is not known here" };
  }
  return { field: path.join("."), message: issue.message };
}

export function invalidParams(method: string, error: unknown): PaddockError {
  if (error instanceof PaddockError) return error;
  if (!(error instanceof $ZodError)) {
    return new PaddockError("INVALID_PARAMS", {
      message: `${method}: the parameters could not be read.`,
      cause: error,
    });
  }
  const { field, message } = worstIssue(error.issues as Issue[]);
  return new PaddockError("INVALID_PARAMS", {
    message: field ? `${method}: ${field}: ${message}` : `${method}: ${message}`,
    ...(field ? { field } : {}),
  });
}

/** A result that this side's own code got wrong. */
export function badResult(method: string, error: unknown): PaddockError {
  if (error instanceof PaddockError) return error;
  return new PaddockError("INTERNAL_ERROR", {
    message: `${method}: the result does not match its schema.`,
    cause: error,
  });
}

export function unexpectedAnswer(method: string, error?: unknown): PaddockError {
  if (error instanceof PaddockError) return error;
  return new PaddockError("UNEXPECTED_ANSWER", {
    message: `${method}: the sandbox answered something unexpected.`,
    cause: error,
  });
}

/** `{ ok }` or `{ error }`; which of them, or neither. */
export function splitResult(
  result: unknown,
): { kind: "ok"; value: unknown } | { kind: "error"; error: unknown } | undefined {
  if (typeof result !== "object" || result === null) return undefined;
  if ("error" in result && result.error !== undefined && result.error !== null) {
    return { kind: "error", error: result.error };
  }
  return "ok" in result ? { kind: "ok", value: result.ok } : undefined;
}

const typesByMethod: ReadonlyMap<string, Notification["type"]> = new Map(
  Object.entries(notificationMethods).map(([type, method]) => [method, type]) as [
    string,
    Notification["type"],
  ][],
);

/** What differs between encodings in a notification. */
export interface NotificationValues {
  bytes(raw: unknown): Uint8Array;
  error(raw: unknown): Error | null;
}

export function decodeNotificationWith(
  values: NotificationValues,
  { method, params }: JsonRpcNotification,
): Notification | undefined {
  const type = typesByMethod.get(method);
  if (!type) return undefined;
  if (typeof params !== "object" || params === null) {
    throw invalidNotification(method, undefined, "must be an object");
  }
  const raw = params as Record<string, unknown>;
  if (type === "deno.watcher.restart") {
    if (typeof raw.watcherId !== "string") {
      throw invalidNotification(method, "watcherId", "must be a string");
    }
    return { type, watcherId: raw.watcherId };
  }
  const { streamId } = raw;
  if (typeof streamId !== "number" || !Number.isSafeInteger(streamId) || streamId < 0) {
    throw invalidNotification(method, "streamId", "must be a whole number");
  }
  switch (type) {
    case "stream.enqueue":
      try {
        return { type, streamId, data: values.bytes(raw.data) };
      } catch {
        throw invalidNotification(method, "data", "must be bytes");
      }
    case "stream.error":
      return { type, streamId, error: values.error(raw.error) };
    case "stream.cancel":
      // Client 0.2 sends `reason` and reads `cause`.
      return { type, streamId, reason: values.error(raw.reason ?? raw.cause) };
    default:
      return { type, streamId };
  }
}

function invalidNotification(
  method: string,
  field: string | undefined,
  reason: string,
): PaddockError {
  return new PaddockError("INVALID_PARAMS", {
    message: `${method}: ${field ? `${field}: ` : ""}${reason}`,
    ...(field ? { field } : {}),
  });
}

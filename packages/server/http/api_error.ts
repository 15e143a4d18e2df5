import { errorRegistry, PaddockError } from "@paddock/protocol";
import type { Log } from "../log.ts";

export interface ErrorAnswer {
  status: number;
  body: string;
}

/**
 * What a caller is told about an error. Text that was written for the caller goes out; of our own
 * and the operator's troubles only the registry's sentence does, and the rest goes to the log.
 */
export function answerError(thrown: unknown, traceId: string, log: Log): ErrorAnswer {
  const error = PaddockError.from(thrown);
  const { status, blame } = errorRegistry[error.code];
  const fields = { code: error.code, status, error: error.message, cause: error.cause };
  if (blame === "us") log.error("request failed", { ...fields, stack: error.stack });
  else if (blame === "operator") log.warn("request refused", fields);
  else log.info("request refused", fields);
  return { status, body: JSON.stringify({ ...error.toJSON(), traceId }) };
}

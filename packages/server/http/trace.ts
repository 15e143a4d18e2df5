import { randomBytes } from "node:crypto";

/** Joins a client's error report to our log lines. */
export function newTraceId(): string {
  return randomBytes(16).toString("hex");
}

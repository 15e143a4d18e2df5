import { PaddockError } from "./paddock_error.ts";

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** A sandbox lives until its session's connection closes, or for so many milliseconds. */
export type Timeout = "session" | number;

/** "session", "30s", "5m" or "1h"; undefined means "session". */
export function parseTimeout(text: string | undefined, field = "timeout"): Timeout {
  if (text === undefined || text === "session") return "session";
  const match = typeof text === "string" ? /^(\d{1,9})([smh])$/.exec(text) : null;
  const milliseconds = match ? Number(match[1]) * UNIT_MS[match[2]] : 0;
  if (milliseconds <= 0) {
    throw new PaddockError("INVALID_CONFIG", {
      message: `${field}: ${
        JSON.stringify(String(text).slice(0, 64))
      } is no timeout. Examples: "session", "30s", "5m", "1h".`,
      field,
    });
  }
  return milliseconds;
}

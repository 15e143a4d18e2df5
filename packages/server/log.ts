export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Record<string, unknown>;

/** What every part of the daemon writes to. Fields never hold tokens or environment values. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with fields that stand in every line. */
  with(fields: LogFields): Log;
}

const ORDER: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** A line is for a terminal or a collector, not an archive. */
const MAX_VALUE_LENGTH = 4_096;

export interface LogOptions {
  level: LogLevel;
  format: "json" | "pretty" | "auto";
  /** Takes whole lines; standard error when not given. */
  write?: (line: string) => void;
  now?: () => Date;
}

export function createLog(options: LogOptions): Log {
  const encoder = new TextEncoder();
  const write = options.write ?? ((line: string) => writeAll(encoder.encode(line)));
  const now = options.now ?? (() => new Date());
  const pretty = options.format === "pretty" ||
    (options.format === "auto" && Deno.stderr.isTerminal());
  const lowest = ORDER.indexOf(options.level);

  const make = (fixed: LogFields): Log => {
    const at = (level: LogLevel) => {
      if (ORDER.indexOf(level) < lowest) return () => {};
      return (message: string, fields: LogFields = {}) => {
        const line = { time: now().toISOString(), level, message, ...fixed, ...fields };
        write(pretty ? formatPretty(line) : encode(line) + "\n");
      };
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      with: (fields) => make({ ...fixed, ...fields }),
    };
  };
  return make({});
}

function writeAll(bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
  } catch {
    // Nobody reads our log any more (a closed pipe): serving goes on.
  }
}

function formatPretty(line: { time: string; level: LogLevel; message: string } & LogFields) {
  const { time, level, message, ...fields } = line;
  const rest = Object.entries(fields).filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${prettyValue(key, value)}`).join("");
  return `${time.slice(11, 19)} ${level.toUpperCase().padEnd(5)} ${clean(message)}${rest}\n`;
}

function prettyValue(key: string, value: unknown): string {
  const text = typeof value === "string" ? value : encode(value);
  const short = String(replacer(key, text));
  return /^[\w.:/@+-]+$/.test(short) ? short : clean(JSON.stringify(short));
}

/** A guest's or client's text must not move the cursor of the operator's terminal. */
function clean(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, " ");
}

function encode(value: unknown): string {
  try {
    return JSON.stringify(value, replacer);
  } catch {
    // A cycle in what was to be logged must not end what was being done.
    return JSON.stringify({ level: "error", message: "a log line could not be encoded" });
  }
}

function replacer(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string" && value.length > MAX_VALUE_LENGTH) {
    return value.slice(0, MAX_VALUE_LENGTH) + "…";
  }
  if (value instanceof Error) return describeError(value);
  return value;
}

function describeError(error: Error): Record<string, unknown> {
  const { name, message, cause } = error;
  const code = (error as { code?: unknown }).code;
  return {
    name,
    message,
    ...(code === undefined ? {} : { code }),
    stack: error.stack?.slice(0, MAX_VALUE_LENGTH),
    ...(cause === undefined ? {} : { cause }),
  };
}

import { InvalidArgumentError } from "commander";

/** `KEY=VALUE`, collected over repeated options; a bare `KEY` of `--env` takes the local value. */
export function collectPairs(kind: "env" | "label") {
  return (text: string, previous: Record<string, string> = {}): Record<string, string> => {
    const at = text.indexOf("=");
    const key = at === -1 ? text : text.slice(0, at);
    if (key === "") throw new InvalidArgumentError(`expected KEY=VALUE, got "${text}"`);
    if (at !== -1) return { ...previous, [key]: text.slice(at + 1) };
    if (kind === "label") return { ...previous, [key]: "" };
    const local = Deno.env.get(key);
    if (local === undefined) {
      throw new InvalidArgumentError(`"${key}" is not set here; write ${key}=VALUE`);
    }
    return { ...previous, [key]: local };
  };
}

const units: Record<string, number> = {
  "": 1,
  b: 1,
  k: 1024,
  kib: 1024,
  kb: 1000,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  gb: 1000 ** 3,
};

/** `512MiB`, `1g`, `800MB` or plain bytes → bytes. */
export function parseMemory(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match ? units[match[2].toLowerCase()] : undefined;
  if (!match || unit === undefined) {
    throw new InvalidArgumentError(`expected a size such as 512MiB or 1GiB, got "${text}"`);
  }
  return Math.round(Number(match[1]) * unit);
}

/** `session`, `90s`, `5m`: what the server accepts, checked early for a better message. */
export function parseTimeoutOption(text: string): "session" | `${number}s` | `${number}m` {
  if (text === "session" || isDuration(text)) return text;
  throw new InvalidArgumentError(
    `expected "session" or a duration such as 90s or 5m, got "${text}"`,
  );
}

export function parseDurationArgument(text: string): `${number}s` | `${number}m` {
  if (isDuration(text)) return text;
  throw new InvalidArgumentError(`expected a duration such as 90s or 10m, got "${text}"`);
}

function isDuration(text: string): text is `${number}s` | `${number}m` {
  return /^[1-9]\d*[sm]$/.test(text);
}

/** `127.0.0.1:0`, `[::1]:4000`, `:4000`, `4000`. */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:(?:\[([0-9a-f:.]+)\]|([^:[\]\s]*)):)?(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new InvalidArgumentError(`expected HOST:PORT such as 127.0.0.1:4200, got "${text}"`);
  }
  return { host: match[1] || match[2] || "127.0.0.1", port };
}

/** One side of `cp`: `ID:/path` in a sandbox, anything else on this machine. */
export function parseCopyPath(
  text: string,
): { kind: "sandbox"; id: string; path: string } | { kind: "local"; path: string } {
  const match = /^(sbx_[a-z]{3}_[0-9a-hjkmnp-z]{20}):(.*)$/s.exec(text);
  if (match) return { kind: "sandbox", id: match[1], path: match[2] || "." };
  return { kind: "local", path: text };
}

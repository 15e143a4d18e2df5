import type { Duration } from "@paddock/sandbox";
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

/** `/PATH=VOLUME`, collected over repeated options. */
export function collectVolumes(
  text: string,
  previous: Record<string, string> = {},
): Record<string, string> {
  const match = /^(\/.+)=([a-z0-9_-]+)$/s.exec(text);
  if (!match) throw new InvalidArgumentError(`expected /PATH=VOLUME, got "${text}"`);
  return { ...previous, [match[1]]: match[2] };
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

/** `90s`, `10m`, `2h`: as the server takes it, checked early for a better message. */
export function parseDurationArgument(text: string): Duration {
  if (/^[1-9]\d*[smh]$/.test(text)) return text as Duration;
  throw new InvalidArgumentError(`expected a duration such as 90s, 10m or 2h, got "${text}"`);
}

/** A whole number from 1. */
export function parseCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`expected a number from 1, got "${text}"`);
}

/** `127.0.0.1:0`, `[::1]:4000`, `:4000`, `4000`. */
export function parseListen(
  text: string,
  _previous?: unknown,
  defaultHost = "127.0.0.1",
): { host: string; port: number } {
  const match = /^(?:(?:\[([0-9a-f:.]+)\]|([^:[\]\s]*)):)?(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new InvalidArgumentError(`expected HOST:PORT such as 127.0.0.1:4200, got "${text}"`);
  }
  return { host: match[1] || match[2] || defaultHost, port };
}

/** The gateway listens on both loopback addresses unless it is told otherwise. */
export function parseGatewayListen(text: string): { host: string; port: number } {
  return parseListen(text, undefined, "localhost");
}

export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) {
    throw new InvalidArgumentError(`expected a port from 1 to 65535, got "${text}"`);
  }
  return port;
}

/** One side of `cp`: `ID:/path` in a sandbox, anything else on this machine. */
export function parseCopyPath(
  text: string,
): { kind: "sandbox"; id: string; path: string } | { kind: "local"; path: string } {
  const match = /^(sbx_[a-z]{3}_[0-9a-hjkmnp-z]{20}):(.*)$/s.exec(text);
  if (match) return { kind: "sandbox", id: match[1], path: match[2] || "." };
  return { kind: "local", path: text };
}

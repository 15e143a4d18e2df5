import { InvalidMemoryError } from "./errors.ts";

/**
 * A memory size: bytes as a number, or a number with a unit. Binary: `"1GiB"`, `"768MiB"`, `"786432KiB"`;
 * decimal: `"1GB"`, `"800MB"`, `"800000kB"`.
 */
export type Memory =
  | number
  | `${number}GB`
  | `${number}MB`
  | `${number}kB`
  | `${number}GiB`
  | `${number}MiB`
  | `${number}KiB`;

const unitBytes: Record<string, number> = {
  GiB: 1024 ** 3,
  MiB: 1024 ** 2,
  KiB: 1024,
  GB: 1000 ** 3,
  MB: 1000 ** 2,
  kB: 1000,
};

/** Whole MiB, rounded down. The server decides what range it allows. */
export function parseMemoryMb(value: Memory): number {
  const bytes = typeof value === "number" ? value : parseBytes(value);
  if (!Number.isFinite(bytes) || bytes < 1024 ** 2) {
    throw new InvalidMemoryError(
      `memory: ${
        JSON.stringify(value)
      } is less than one MiB; numbers are bytes, or say "512MiB", "1GiB"`,
    );
  }
  return Math.floor(bytes / 1024 ** 2);
}

function parseBytes(text: string): number {
  const match = typeof text === "string" ? /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text) : null;
  if (!match) {
    throw new InvalidMemoryError(
      `memory: ${JSON.stringify(text)} is no memory size. Examples: 536870912, "512MiB", "1GB".`,
    );
  }
  if (!Object.hasOwn(unitBytes, match[2])) {
    throw new InvalidMemoryError(
      `memory: the unit "${match[2]}" is unknown. Units: ${Object.keys(unitBytes).join(", ")}.`,
    );
  }
  return Number(match[1]) * unitBytes[match[2]];
}

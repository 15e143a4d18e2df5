import process from "node:process";

/** An environment variable; empty counts as unset. On Deno without permission to read it: unset. */
export function readEnv(name: string): string | undefined {
  try {
    return process.env[name] || undefined;
  } catch {
    return undefined;
  }
}

export const isBun: boolean = typeof process.versions?.bun === "string";
export const isDeno: boolean = "Deno" in globalThis && !isBun;

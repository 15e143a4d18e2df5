import { readFile } from "node:fs/promises";

/** Memory that the host could still give away, in bytes. */
export async function memAvailable(): Promise<number> {
  const match = /MemAvailable:\s+(\d+) kB/.exec(await readFile("/proc/meminfo", "utf8"));
  if (!match) throw new Error("/proc/meminfo does not say what is available");
  return Number(match[1]) * 1024;
}

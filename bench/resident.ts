import { readFile } from "node:fs/promises";

/** Resident memory of a process on this host, in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const match = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, "utf8"));
  if (!match) throw new Error(`process ${pid} has no memory: it has ended`);
  return Number(match[1]) * 1024;
}

/** The most a process held resident while `work` ran, in bytes. */
export async function peakResident(pid: number, work: () => Promise<unknown>): Promise<number> {
  let peak = await residentBytes(pid);
  const sampling = setInterval(async () => {
    peak = Math.max(peak, await residentBytes(pid).catch(() => 0));
  }, 100);
  try {
    await work();
  } finally {
    clearInterval(sampling);
  }
  return Math.max(peak, await residentBytes(pid));
}

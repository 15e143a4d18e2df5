import { readdir, readFile } from "node:fs/promises";

/**
 * Sum over the runsc processes that name this data directory, and all that descend from them: a
 * guest's own processes share its memory with the sentry, and each counts its part.
 */
export async function pssOf(dataDir: string): Promise<number> {
  const parents = new Map<string, string>();
  const machines = new Set<string>();
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    parents.set(pid, stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    if (/runsc/.test(commandLine) && commandLine.includes(dataDir)) machines.add(pid);
  }
  let total = 0;
  for (const pid of parents.keys()) {
    let at: string | undefined = pid;
    while (at !== undefined && !machines.has(at)) at = parents.get(at);
    if (at === undefined) continue;
    total += await pssOfProcess(pid);
  }
  return total;
}

/** In bytes; 0 once it has ended. */
export async function pssOfProcess(pid: string | number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
}

import { readdir, readFile } from "node:fs/promises";
import { Sandbox } from "@paddock/sandbox";
import { figure } from "../figure.ts";
import type { Scenario } from "../scenario.ts";

/**
 * What an idle sandbox costs: N alive at once, each having answered once and each answering at the
 * end. Two measures that see different things: the proportional set size of every process of a
 * machine, and the host's MemAvailable, which also counts what the kernel holds for them.
 */
const memory: Scenario = async ({ api, token, dataDir, quick, say }) => {
  const count = quick ? 5 : 50;
  const before = { available: await memAvailable(), pss: await pssOf(dataDir) };
  const sandboxes: Sandbox[] = [];
  try {
    for (let i = 0; i < count; i++) {
      sandboxes.push(await Sandbox.create({ endpoint: api, token }));
    }
    const answer = (sandbox: Sandbox, i: number) =>
      sandbox.deno.eval<number>(`${i} * 2`).then((value) => value === i * 2);
    let answered = 0;
    for (const [i, sandbox] of sandboxes.entries()) if (await answer(sandbox, i)) answered++;
    await new Promise((r) => setTimeout(r, quick ? 4000 : 10_000));
    const after = { available: await memAvailable(), pss: await pssOf(dataDir) };
    let alive = 0;
    for (const [i, sandbox] of sandboxes.entries()) if (await answer(sandbox, i)) alive++;
    say(`${answered} of ${count} answered after create, ${alive} at the end`);
    const target = { on: "value", at: "most", than: 50 } as const;
    return [
      figure({ scenario: "memory", metric: "pss_per_sandbox", unit: "MB" }, {
        value: (after.pss - before.pss) / count / 1e6,
        target,
      }),
      figure({ scenario: "memory", metric: "mem_available_per_sandbox", unit: "MB" }, {
        value: (before.available - after.available) / count / 1e6,
        target,
      }),
      figure({ scenario: "memory", metric: "alive_and_answering", unit: "sandboxes" }, {
        value: alive,
        target: { on: "value", at: "least", than: count },
      }),
    ];
  } finally {
    await Promise.all(sandboxes.map((sandbox) => sandbox.kill().catch(() => {})));
  }
};
export default memory;

async function memAvailable(): Promise<number> {
  const match = /MemAvailable:\s+(\d+) kB/.exec(await readFile("/proc/meminfo", "utf8"));
  return Number(match![1]) * 1024;
}

/**
 * Sum over the runsc processes that name this data directory, and all that descend from them: a
 * guest's own processes share its memory with the sentry, and each counts its part.
 */
async function pssOf(dataDir: string): Promise<number> {
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
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
    total += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  }
  return total;
}

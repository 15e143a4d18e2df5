import { Sandbox } from "@paddock/sandbox";
import { figure } from "../figure.ts";
import { memAvailable } from "../host_memory.ts";
import { pssOf } from "../pss.ts";
import type { Scenario } from "../scenario.ts";

/** Machines that wait would be counted as well. */
export const serverEnv = { PADDOCK_LIMITS_POOL_MIN: "0", PADDOCK_LIMITS_POOL_MAX: "0" };

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

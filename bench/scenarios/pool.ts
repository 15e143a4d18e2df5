import { Sandbox } from "@paddock/sandbox";
import { figure, percentile } from "../figure.ts";
import { untilOrigin } from "../of_origin.ts";
import type { Scenario } from "../scenario.ts";

const rest = () => new Promise((r) => setTimeout(r, 1_500));

export const serverEnv = { PADDOCK_LIMITS_POOL_MIN: "4" };

/**
 * From `Sandbox.create()` to the first eval, when a machine waits. The floor is an eval in a REPL of
 * its own in a sandbox that runs: what is left of the way once there is a sandbox.
 */
const pool: Scenario = async ({ api, token, quick, say }) => {
  const rounds = quick ? 5 : 40;
  await using running = await untilOrigin({ api, token }, "pooled");
  const ours: number[] = [];
  const floors: number[] = [];
  let waited = 0;
  for (let i = 0; i < rounds; i++) {
    // As much as the pool needs to fill up again.
    await rest();
    const before = performance.now();
    if (await running.eval("1 + 1") !== 2) throw new Error("wrong answer");
    floors.push(performance.now() - before);
    // What comes after an eval, the start of the next spare REPL, is no part of the creation that is measured.
    await rest();
    const start = performance.now();
    await using sandbox = await Sandbox.create({ endpoint: api, token });
    if (await sandbox.eval("1 + 1") !== 2) throw new Error("wrong answer");
    ours.push(performance.now() - start);
    if ((await sandbox.metadata()).origin === "pooled") waited++;
    await sandbox.kill();
  }
  say(`${waited} of ${rounds} found a machine that waited`);
  const scenario = "pool";
  return [
    figure({ scenario, metric: "create_to_first_eval_p50", unit: "ms" }, {
      value: percentile(ours, 50),
      floor: percentile(floors, 50),
      target: { on: "value", at: "most", than: 15 },
    }),
    figure({ scenario, metric: "create_to_first_eval_p99", unit: "ms" }, {
      value: percentile(ours, 99),
      floor: percentile(floors, 99),
      target: { on: "value", at: "most", than: 60 },
    }),
    figure({ scenario, metric: "found_waiting", unit: "share" }, { value: waited / rounds }),
  ];
};
export default pool;

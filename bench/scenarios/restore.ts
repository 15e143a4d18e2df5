import { Sandbox } from "@paddock/sandbox";
import { figure, percentile } from "../figure.ts";
import { untilOrigin } from "../of_origin.ts";
import { rawTemplate } from "../raw_template.ts";
import type { Scenario } from "../scenario.ts";

/** Without machines that wait: each is restored for its sandbox. */
export const serverEnv = { PADDOCK_LIMITS_POOL_MIN: "0", PADDOCK_LIMITS_POOL_MAX: "0" };

/** From `Sandbox.create()` to the first eval with a restore between, beside raw restores by runsc. */
const restore: Scenario = async ({ api, token, dataDir, quick, say }) => {
  const rounds = quick ? 3 : 15;
  await using model = await untilOrigin({ api, token }, "restored");
  await using raw = await rawTemplate(dataDir, model.id);
  await model.kill();

  const ours: number[] = [];
  const floors: number[] = [];
  for (let i = 0; i <= rounds; i++) {
    const floor = await raw.coldStartMs();
    await settle();
    const start = performance.now();
    await using sandbox = await Sandbox.create({ endpoint: api, token });
    if (await sandbox.eval("1 + 1") !== 2) throw new Error("wrong answer");
    const value = performance.now() - start;
    const { origin } = await sandbox.metadata();
    if (origin !== "restored") throw new Error(`a sandbox was ${origin}`);
    await sandbox.kill();
    await settle();
    // The first of each warms the host's caches.
    if (i === 0) continue;
    floors.push(floor);
    ours.push(value);
    say(`${i}/${rounds}: ${value.toFixed(0)} ms, raw ${floor.toFixed(0)} ms`);
  }
  return [
    figure({ scenario: "restore", metric: "create_to_first_eval_p50", unit: "ms" }, {
      value: percentile(ours, 50),
      floor: percentile(floors, 50),
      target: { on: "ratio", at: "most", than: 1.3 },
    }),
    figure({ scenario: "restore", metric: "create_to_first_eval_p90", unit: "ms" }, {
      value: percentile(ours, 90),
      floor: percentile(floors, 90),
    }),
  ];
};
export default restore;

/** Lets the teardown of one round finish before the next is timed. */
const settle = () => new Promise((r) => setTimeout(r, 500));

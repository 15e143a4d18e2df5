import { join } from "node:path";
import { Sandbox } from "@paddock/sandbox";
import { figure, percentile } from "../figure.ts";
import { imageRootfs, rawRunsc } from "../raw_runsc.ts";
import type { Scenario } from "../scenario.ts";

/** Every sandbox boots, as the first ones of a node do until there is a template. */
export const serverEnv = { PADDOCK_TEMPLATES: "off" };

/** From `Sandbox.create()` to the answer of the first eval, with raw runs of runsc in between. */
const coldStart: Scenario = async ({ api, token, dataDir, quick, say }) => {
  const rounds = quick ? 3 : 15;
  await using model = await Sandbox.create({ endpoint: api, token });
  const sandboxDir = join(dataDir, "sandboxes", model.id);
  const rootfs = await imageRootfs(sandboxDir);
  await using raw = await rawRunsc(sandboxDir, rootfs);
  await model.kill();

  const ours: number[] = [];
  const floors: number[] = [];
  const create = async () => {
    const start = performance.now();
    await using sandbox = await Sandbox.create({ endpoint: api, token });
    if (await sandbox.eval("1 + 1") !== 2) throw new Error("wrong answer");
    const elapsed = performance.now() - start;
    await sandbox.kill();
    return elapsed;
  };
  await create();
  await raw.coldStartMs();
  for (let i = 0; i < rounds; i++) {
    floors.push(await raw.coldStartMs());
    await settle();
    ours.push(await create());
    await settle();
    say(`${i + 1}/${rounds}: ${ours.at(-1)!.toFixed(0)} ms, raw ${floors.at(-1)!.toFixed(0)} ms`);
  }
  return [
    figure({ scenario: "cold_start", metric: "create_to_first_eval_p50", unit: "ms" }, {
      value: percentile(ours, 50),
      floor: percentile(floors, 50),
      target: { on: "ratio", at: "most", than: 1.5 },
    }),
    figure({ scenario: "cold_start", metric: "create_to_first_eval_p90", unit: "ms" }, {
      value: percentile(ours, 90),
      floor: percentile(floors, 90),
    }),
  ];
};
export default coldStart;

/** Lets the teardown of one round finish before the next is timed. */
const settle = () => new Promise((r) => setTimeout(r, 300));

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Sandbox } from "@paddock/sandbox";
import { lineChart } from "../chart.ts";
import { figure, percentile } from "../figure.ts";
import { untilOrigin } from "../of_origin.ts";
import type { BenchContext, BenchOptions, Scenario } from "../scenario.ts";

const STAGGER_MS = 200;
const FILL_DEADLINE_MS = 15 * 60_000;
const SETTLE_MS = 5_000;

const roundsOf = ({ quick, count }: BenchOptions) => count ?? (quick ? 5 : 100);

/** A machine waits for each sandbox of the burst. */
export const serverEnv = (options: BenchOptions) => ({
  PADDOCK_LIMITS_POOL_MIN: String(roundsOf(options)),
  PADDOCK_LIMITS_POOL_MAX: String(roundsOf(options)),
  PADDOCK_LIMITS_POOL_MEMORY_MB: String(16 * 1024),
  PADDOCK_LIMITS_SANDBOXES: String(3 * roundsOf(options) + 10),
  PADDOCK_LIMITS_SANDBOXES_PER_ORGANIZATION: String(3 * roundsOf(options) + 10),
});

/**
 * Time to interactive: from `Sandbox.create()` to the output of a first command, on the client's clock,
 * one sandbox after the other, one every 200 ms, and all at once. The floor is the same command in a
 * sandbox that runs; of the burst, the same command in as many at once.
 */
const tti: Scenario = async (context) => {
  const { api, token, say, chart } = context;
  const rounds = roundsOf(context);
  await using running = await untilOrigin({ api, token }, "pooled");
  await command(running);

  const floors: number[] = [];
  const sequential: number[] = [];
  await poolFilled(context, rounds);
  for (let i = 0; i < rounds; i++) {
    floors.push(await took(() => command(running)));
    sequential.push(await interactive(context));
  }
  say(`sequential: p50 ${percentile(sequential, 50).toFixed(0)} ms`);

  await poolFilled(context, rounds);
  const staggered = await together(context, rounds, STAGGER_MS);
  say(`staggered: p50 ${percentile(staggered.samples, 50).toFixed(0)} ms`);

  await poolFilled(context, rounds);
  const burst = await together(context, rounds, 0);
  say(`burst of ${rounds}: p50 ${percentile(burst.samples, 50).toFixed(0)} ms`);

  chart(lineChart(
    {
      title: "Create a sandbox and run a command in it",
      across: "share of sandboxes, %",
      up: "ms",
    },
    [
      { name: "in one that runs", points: distribution(floors) },
      { name: "one by one", points: distribution(sequential) },
      { name: `one every ${STAGGER_MS} ms`, points: distribution(staggered.samples) },
      { name: `${rounds} at once`, points: distribution(burst.samples) },
    ],
  ));
  const name = (metric: string, unit: string) => ({ scenario: "tti", metric, unit });
  const floor = percentile(floors, 50);
  return [
    figure(name("sequential_p50", "ms"), { value: percentile(sequential, 50), floor }),
    figure(name("sequential_p99", "ms"), {
      value: percentile(sequential, 99),
      floor: percentile(floors, 99),
    }),
    figure(name("sequential_added_p50", "ms"), {
      value: percentile(sequential, 50) - floor,
      target: { on: "value", at: "most", than: 15 },
    }),
    figure(name("staggered_p50", "ms"), { value: percentile(staggered.samples, 50), floor }),
    figure(name("staggered_p99", "ms"), { value: percentile(staggered.samples, 99) }),
    figure(name(`burst_of_${rounds}_p50`, "ms"), {
      value: percentile(burst.samples, 50),
      // What the processors need for as many commands, whatever sandboxes cost.
      floor: percentile(burst.again, 50),
      target: { on: "value", at: "most", than: 400 },
    }),
    figure(name(`burst_of_${rounds}_p99`, "ms"), { value: percentile(burst.samples, 99) }),
    figure(name("succeeded", "sandboxes"), {
      value: sequential.length + staggered.samples.length + burst.samples.length,
      target: { on: "value", at: "least", than: 3 * rounds },
    }),
  ];

  /** As many as there are rounds, each `staggerMs` after the one before; those that fail are left out. */
  async function together({ api, token }: BenchContext, rounds: number, staggerMs: number) {
    const sandboxes: Sandbox[] = [];
    const samples: number[] = [];
    const again: number[] = [];
    await Promise.all(
      Array.from({ length: rounds }, async (_, i) => {
        await new Promise((resolve) => setTimeout(resolve, i * staggerMs));
        try {
          samples.push(
            await took(async () => {
              const sandbox = await Sandbox.create({ endpoint: api, token });
              sandboxes.push(sandbox);
              await command(sandbox);
            }),
          );
        } catch (error) {
          say(`one failed: ${error}`);
        }
      }),
    );
    if (staggerMs === 0) {
      await Promise.all(
        sandboxes.map(async (sandbox) => again.push(await took(() => command(sandbox)))),
      );
    }
    await Promise.all(sandboxes.map((sandbox) => sandbox.kill()));
    return { samples, again };
  }
};
export default tti;

async function interactive({ api, token }: BenchContext): Promise<number> {
  let made: Sandbox | undefined;
  try {
    return await took(async () => {
      made = await Sandbox.create({ endpoint: api, token });
      await command(made);
    });
  } finally {
    await made?.kill();
  }
}

async function command(sandbox: Sandbox): Promise<void> {
  const text = await sandbox.sh`deno --version`.text();
  if (!/^deno \d/.test(text)) throw new Error(`wrong output: ${text}`);
}

async function took(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Waits until so many machines wait, and the host has calmed down. */
async function poolFilled({ dataDir, say }: BenchContext, count: number): Promise<void> {
  const deadline = performance.now() + FILL_DEADLINE_MS;
  const waiting = async () =>
    (await readdir(join(dataDir, "sandboxes"))).filter((id) => id.startsWith("sbx_pol_")).length;
  let now = await waiting();
  // The sandbox that runs came out of the pool as well.
  while (now < count + 1) {
    if (performance.now() > deadline) throw new Error(`only ${now} machines wait, not ${count}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    now = await waiting();
  }
  say(`${count} machines wait`);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}

function distribution(samples: number[]): [number, number][] {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted.map((ms, index) => [(100 * (index + 1)) / sorted.length, ms]);
}

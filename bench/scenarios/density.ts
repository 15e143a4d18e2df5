import { Sandbox } from "@paddock/sandbox";
import { lineChart } from "../chart.ts";
import { figure } from "../figure.ts";
import { memAvailable } from "../host_memory.ts";
import { untilOrigin } from "../of_origin.ts";
import { pssOf } from "../pss.ts";
import type { BenchOptions, Scenario } from "../scenario.ts";

const GiB = 1024 ** 3;
const BUDGET_BYTES = 16 * GiB;
const SAMPLES = 20;
/** What a budget holds if each takes no more than the target; with `--count max` it must be reached. */
const WANTED_IN_BUDGET = 300;
/** No host of this size has room for more. */
const MOST = 4_000;

const countOf = ({ quick, count }: BenchOptions) => count ?? (quick ? 5 : 20);

/** Machines that wait would be counted as well. */
export const serverEnv = {
  PADDOCK_LIMITS_POOL_MIN: "0",
  PADDOCK_LIMITS_POOL_MAX: "0",
  PADDOCK_LIMITS_SANDBOXES: String(MOST),
  PADDOCK_LIMITS_SANDBOXES_PER_ORGANIZATION: String(MOST),
  PADDOCK_LIMITS_CONNECTIONS: String(2 * MOST),
  PADDOCK_LIMITS_CONNECTIONS_PER_ORGANIZATION: String(2 * MOST),
};

/**
 * Idle sandboxes side by side: so many, or with `--count max` until they have taken 16 GiB of what the host
 * could give away. Each answers when it is made and when all are there.
 */
const density: Scenario = async (context) => {
  const { api, token, dataDir, quick, say, chart } = context;
  const wanted = Math.min(countOf(context), MOST);
  // What the server's first sandbox needs once (its template, caches) is not part of each.
  await (await untilOrigin({ api, token }, "restored")).kill();
  await rest(quick);
  const before = { available: await memAvailable(), pss: await pssOf(dataDir) };
  const sandboxes: Sandbox[] = [];
  const growth: [number, number][] = [[0, 0]];
  const every = Math.max(1, Math.floor(Math.min(wanted, WANTED_IN_BUDGET) / SAMPLES));
  try {
    let taken = 0;
    while (sandboxes.length < wanted && taken < BUDGET_BYTES) {
      try {
        sandboxes.push(await Sandbox.create({ endpoint: api, token }));
        await sandboxes.at(-1)!.readTextFile("/etc/hostname");
      } catch (error) {
        say(`no more after ${sandboxes.length}: ${error}`);
        break;
      }
      taken = before.available - await memAvailable();
      if (sandboxes.length % every === 0) {
        growth.push([sandboxes.length, taken / GiB]);
        say(`${sandboxes.length}: ${(taken / GiB).toFixed(2)} GiB`);
      }
    }
    await rest(quick);
    const count = sandboxes.length;
    taken = before.available - await memAvailable();
    const pss = await pssOf(dataDir) - before.pss;
    let alive = 0;
    for (const [i, sandbox] of sandboxes.entries()) {
      const answer = await sandbox.deno.eval<number>(`${i} * 2`).catch(() => undefined);
      if (answer === i * 2) alive++;
    }
    say(`${alive} of ${count} answer`);
    growth.push([count, taken / GiB]);
    chart(
      lineChart({ title: "Idle sandboxes on one host", across: "sandboxes", up: "GiB" }, [
        { name: "memory they take", points: growth },
      ]),
    );
    const name = (metric: string, unit: string) => ({ scenario: "density", metric, unit });
    return [
      figure(name("mem_available_per_sandbox", "MB"), {
        value: taken / count / 1e6,
        target: { on: "value", at: "most", than: 45 },
      }),
      figure(name("pss_per_sandbox", "MB"), {
        value: pss / count / 1e6,
        target: { on: "value", at: "most", than: 45 },
      }),
      figure(name("alive_and_answering", "sandboxes"), {
        value: alive,
        target: {
          on: "value",
          at: "least",
          than: wanted === MOST ? Math.max(count, WANTED_IN_BUDGET) : wanted,
        },
      }),
    ];
  } finally {
    // Some at a time: each has processes to end and mounts to take away.
    while (sandboxes.length > 0) {
      await Promise.all(sandboxes.splice(0, 8).map((sandbox) => sandbox.kill().catch(() => {})));
    }
  }
};
export default density;

/** Guests give memory back a while after they last had something to do. */
const rest = (quick: boolean) =>
  new Promise((resolve) => setTimeout(resolve, quick ? 4_000 : 15_000));

import { Sandbox } from "@paddock/sandbox";
import { lineChart } from "../chart.ts";
import { figure, percentile } from "../figure.ts";
import { pssOf } from "../pss.ts";
import { rawCheckpoint } from "../raw_template.ts";
import type { Scenario } from "../scenario.ts";

const HEAP_MB = 200;
const SETTLE_MS = 2_000;

/**
 * A sandbox whose REPL holds a heap of 200 MB is forked, into one copy, ten and fifty (or `--count`):
 * how long until the last copy's REPL answers, how long the original answers nothing, and what each copy
 * takes in memory. The floors are runsc's alone, of a machine with the same heap: a checkpoint that it goes on
 * from is the silence's, and a restore to an answer comes on top of it for the copy.
 */
const fork: Scenario = async ({ api, token, dataDir, quick, count: most, say, chart }) => {
  await using original = await Sandbox.create({ endpoint: api, token, memoryMb: 768 });
  const repl = await original.repl();
  await repl.eval(`const heap = [];
    for (let i = 0; i < ${HEAP_MB}; i++) heap.push(new Uint8Array(1_000_000).fill(i + 1));
    heap.length`);

  const forkOnce = async (count: number) => {
    const before = await pssOf(dataDir);
    const start = performance.now();
    const copies = await original.fork(count);
    const answers = await Promise.all(copies.map(async (copy) => {
      const there = await copy.attachRepl(repl.pid);
      return await there.eval<number>("heap.reduce((sum, part) => sum + part[0], 0)");
    }));
    const elapsed = performance.now() - start;
    if (new Set(answers).size !== 1) throw new Error(`copies differ: ${answers}`);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const bytes = (await pssOf(dataDir) - before) / count;
    await Promise.all(copies.map((copy) => copy.kill()));
    return { elapsed, bytes };
  };
  /** Asks all the time, and answers the longest silence of the original. */
  const silence = async () => {
    let longest = 0;
    let over = false;
    const asking = (async () => {
      while (!over) {
        const asked = performance.now();
        // A call that was under way when the connection ended is made again, as a program would.
        while (!await original.readTextFile("/etc/hostname").then(() => true, () => false));
        longest = Math.max(longest, performance.now() - asked);
      }
    })();
    const copy = await original.fork();
    over = true;
    await asking;
    await copy.kill();
    return longest;
  };

  const checkpoint = await original.checkpoint();
  await using raw = await rawCheckpoint(dataDir, original.id, checkpoint.id);
  const rounds: {
    elapsed: number;
    bytes: number;
    silent: number;
    written: number;
    read: number;
  }[] = [];
  for (let i = 0; i < (quick ? 2 : 5); i++) {
    const floor = { written: await raw.checkpointMs("goes on"), read: await raw.coldStartMs() };
    const round = { ...floor, ...await forkOnce(1), silent: await silence() };
    rounds.push(round);
    const ms = (of: Exclude<keyof typeof round, "bytes">) => `${round[of].toFixed(0)} ms`;
    say(`fork 1: ${ms("elapsed")}, silent ${ms("silent")}; raw ${ms("written")} and ${ms("read")}`);
  }
  const median = (of: (round: typeof rounds[number]) => number) => percentile(rounds.map(of), 50);
  const p50 = { elapsed: median((it) => it.elapsed), bytes: median((it) => it.bytes) };
  const sizes = most === undefined
    ? (quick ? [3] : [10, 50])
    : [10, most].filter((it) => it <= most);
  const several: { count: number; elapsed: number; bytes: number }[] = [];
  for (const count of new Set(sizes)) {
    const forked = { count, ...await forkOnce(count) };
    several.push(forked);
    say(
      `fork ${count}: ${forked.elapsed.toFixed(0)} ms, ${(forked.bytes / 1e6).toFixed(0)} MB each`,
    );
  }
  const all = [{ count: 1, ...p50 }, ...several];
  chart(
    lineChart({ title: "Copies of a sandbox with 200 MB", across: "copies", up: "s" }, [
      {
        name: "to the first eval in the last copy",
        points: all.map(({ count, elapsed }) => [count, elapsed / 1000]),
      },
    ]),
  );
  const name = (metric: string, unit: string) => ({ scenario: "fork", metric, unit });
  return [
    figure(name("one_to_first_eval_p50", "ms"), {
      value: p50.elapsed,
      floor: median((it) => it.written + it.read),
      target: { on: "value", at: "most", than: 400 },
    }),
    figure(name("original_silent_p50", "ms"), {
      value: median((it) => it.silent),
      floor: median((it) => it.written),
      target: { on: "value", at: "most", than: 150 },
    }),
    figure(name("memory_per_copy", "MB"), { value: p50.bytes / 1e6 }),
    ...several.flatMap(({ count, elapsed, bytes }) => [
      figure(name(`${count}_to_first_eval`, "ms"), { value: elapsed }),
      figure(name(`memory_per_copy_of_${count}`, "MB"), { value: bytes / 1e6 }),
    ]),
  ];
};
export default fork;

import { sandboxSpec, startBench } from "./engine_bench.ts";

// A daemon with two sandboxes and a third on its way, for a test that kills it.
const bench = await startBench({ dataDir: Deno.args[0], image: JSON.parse(Deno.args[1]) });
await Promise.all(
  [1, 2].map(() => bench.engine.create(sandboxSpec(), AbortSignal.timeout(60_000))),
);
bench.engine.create(sandboxSpec(), AbortSignal.timeout(60_000)).catch(() => {});
console.log("ready");
await new Promise((resolve) => setTimeout(resolve, 60_000));

/**
 * Runs the scenarios and prints a table: `npm run bench -- [--json FILE] [--quick] [NAME…]`.
 * Figures are ratios against a floor measured in the same run: the machine's noise hits both.
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { Figure } from "./figure.ts";
import { figureTable } from "./figure_table.ts";
import type { Scenario } from "./scenario.ts";
import { startBenchServer } from "./bench_server.ts";

const scenarios: Record<string, () => Promise<{ default: Scenario }>> = {
  cold_start: () => import("./scenarios/cold_start.ts"),
  eval_rtt: () => import("./scenarios/eval_rtt.ts"),
  exec_rtt: () => import("./scenarios/exec_rtt.ts"),
  stream: () => import("./scenarios/stream.ts"),
  cpu: () => import("./scenarios/cpu.ts"),
  memory: () => import("./scenarios/memory.ts"),
};

const { values: flags, positionals: wanted } = parseArgs({
  options: { json: { type: "string" }, quick: { type: "boolean", default: false } },
  allowPositionals: true,
});
for (const name of wanted) {
  if (!scenarios[name]) {
    console.error(`unknown scenario "${name}"; there are: ${Object.keys(scenarios).join(", ")}`);
    Deno.exit(2);
  }
}

const figures: Figure[] = [];
const failures: string[] = [];
for (const name of wanted.length ? wanted : Object.keys(scenarios)) {
  console.error(`── ${name}`);
  try {
    await using server = await startBenchServer();
    const run = (await scenarios[name]()).default;
    figures.push(
      ...await run({
        api: server.api,
        token: server.token,
        dataDir: server.dataDir,
        daemonPid: server.daemonPid,
        quick: flags.quick!,
        say: (line) => console.error(`   ${line}`),
      }),
    );
  } catch (error) {
    failures.push(name);
    console.error(`   failed:`, error);
  }
}
console.log(figureTable(figures));
if (flags.json) await writeFile(flags.json, JSON.stringify(figures, null, 2) + "\n");
if (failures.length) {
  console.error(`scenarios that failed: ${failures.join(", ")}`);
  Deno.exit(1);
}

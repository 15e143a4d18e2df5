/**
 * Runs the scenarios and prints a table; `flags.ts` has its usage.
 * Figures are ratios against a floor measured in the same run: the machine's noise hits both.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Figure } from "./figure.ts";
import { figureTable } from "./figure_table.ts";
import { readFlags, usage } from "./flags.ts";
import type { BenchOptions, MachineScenario, Scenario } from "./scenario.ts";
import { startBenchServer } from "./bench_server.ts";

type ServerEnv = Record<string, string>;
type Module =
  | { default: Scenario; serverEnv?: ServerEnv | ((options: BenchOptions) => ServerEnv) }
  | { default: MachineScenario; withoutServer: true };

const scenarios: Record<string, () => Promise<Module>> = {
  cold_start: () => import("./scenarios/cold_start.ts"),
  restore: () => import("./scenarios/restore.ts"),
  pool: () => import("./scenarios/pool.ts"),
  tti: () => import("./scenarios/tti.ts"),
  eval_rtt: () => import("./scenarios/eval_rtt.ts"),
  exec_rtt: () => import("./scenarios/exec_rtt.ts"),
  stream: () => import("./scenarios/stream.ts"),
  cpu: () => import("./scenarios/cpu.ts"),
  fork: () => import("./scenarios/fork.ts"),
  memory: () => import("./scenarios/memory.ts"),
  density: () => import("./scenarios/density.ts"),
  churn: () => import("./scenarios/churn.ts"),
  gateway: () => import("./scenarios/gateway.ts"),
  websockets: () => import("./scenarios/websockets.ts"),
  vscode: () => import("./scenarios/vscode.ts"),
  drivers: () => import("./scenarios/drivers.ts"),
  qemu: () => import("./scenarios/qemu.ts"),
  firecracker: () => import("./scenarios/firecracker.ts"),
  pause_resume: () => import("./scenarios/pause_resume.ts"),
};

const flags = readFlags(Deno.args, Object.keys(scenarios));
if (typeof flags === "string") {
  console.error(`${flags}\n${usage}`);
  Deno.exit(Deno.args.includes("--help") ? 0 : 2);
}
const { wanted, count } = flags;

const figures: Figure[] = [];
const failures: string[] = [];
for (const name of wanted.length ? wanted : Object.keys(scenarios)) {
  console.error(`── ${name}`);
  try {
    const module = await scenarios[name]();
    const options = { quick: flags.quick, count };
    let chart: string | undefined;
    const own = {
      ...options,
      say: (line: string) => console.error(`   ${line}`),
      chart: (svg: string) => void (chart = svg),
    };
    if ("withoutServer" in module) {
      figures.push(...await module.default(own));
      continue;
    }
    const { serverEnv } = module;
    await using server = await startBenchServer(
      typeof serverEnv === "function" ? serverEnv(options) : serverEnv,
    );
    figures.push(
      ...await module.default({
        api: server.api,
        token: server.token,
        ca: server.ca,
        dataDir: server.dataDir,
        daemonPid: server.daemonPid,
        ...own,
      }),
    );
    if (flags.charts && chart) {
      await mkdir(flags.charts, { recursive: true });
      await writeFile(join(flags.charts, `${name}.svg`), chart);
    }
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

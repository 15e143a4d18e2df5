import { Sandbox } from "@paddock/sandbox";
import { figure } from "../figure.ts";
import type { Scenario } from "../scenario.ts";

const loop = `
  const start = performance.now();
  let x = 0;
  for (let i = 0; i < 2e8; i++) x = (x * 31 + i) | 0;
  console.log(performance.now() - start);
`;
const forks = `
  const start = performance.now();
  for (let i = 0; i < 200; i++) await new Deno.Command("true").output();
  console.log(performance.now() - start);
`;

/** The same program in the sandbox and on the host, each timing itself; the best of some runs. */
const cpu: Scenario = async ({ api, token, quick }) => {
  const runs = quick ? 1 : 5;
  await using sandbox = await Sandbox.create({ endpoint: api, token });
  const inside = async (code: string) => {
    await sandbox.fs.writeTextFile("/tmp/bench.ts", code);
    return Number(await sandbox.sh`deno run -A /tmp/bench.ts`.text());
  };
  const native = async (code: string) => {
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(file, code);
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-config", file],
    }).output();
    await Deno.remove(file);
    return Number(new TextDecoder().decode(stdout));
  };
  const pairs = async (code: string) => {
    const times = { inside: Infinity, native: Infinity };
    for (let i = 0; i < runs; i++) {
      times.inside = Math.min(times.inside, await inside(code));
      times.native = Math.min(times.native, await native(code));
    }
    return times;
  };
  const js = await pairs(loop);
  const fork = await pairs(forks);
  return [
    figure({ scenario: "cpu", metric: "js_loop_speed", unit: "loops/s" }, {
      value: 1000 / js.inside,
      floor: 1000 / js.native,
      target: { on: "ratio", at: "least", than: 0.9 },
    }),
    figure({ scenario: "cpu", metric: "fork_exec_200", unit: "ms" }, {
      value: fork.inside,
      floor: fork.native,
    }),
  ];
};
export default cpu;

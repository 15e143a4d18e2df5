import { Sandbox } from "@paddock/sandbox";
import { figure, percentile } from "../figure.ts";
import type { Scenario } from "../scenario.ts";
import { timed } from "../timed.ts";

/** A shell command's output, against the same command started by a local Deno on the host. */
const execRtt: Scenario = async ({ api, token, quick }) => {
  const rounds = quick ? 20 : 200;
  await using sandbox = await Sandbox.create({ endpoint: api, token });
  const inside = await timed(rounds, async () => {
    if (await sandbox.sh`echo hello`.text() !== "hello\n") throw new Error("wrong output");
  });
  const local = await timed(rounds, async () => {
    const { stdout } = await new Deno.Command("bash", { args: ["-c", "echo hello"] }).output();
    if (new TextDecoder().decode(stdout) !== "hello\n") throw new Error("wrong output");
  });
  return [
    figure({ scenario: "exec_rtt", metric: "p50", unit: "ms" }, {
      value: percentile(inside, 50),
      floor: percentile(local, 50),
      target: { on: "value", at: "most", than: 20 },
    }),
    figure({ scenario: "exec_rtt", metric: "p99", unit: "ms" }, {
      value: percentile(inside, 99),
      floor: percentile(local, 99),
    }),
  ];
};
export default execRtt;

import { connect } from "node:net";
import WebSocket from "ws";
import { Sandbox } from "@paddock/sandbox";
import { figure, percentile } from "../figure.ts";
import type { Scenario } from "../scenario.ts";
import { timed } from "../timed.ts";

/**
 * An eval in an open REPL, against a WebSocket echo on the same path: the agent answers the text
 * `ping` without looking further, so client, server and guest network are in both numbers.
 */
const evalRtt: Scenario = async ({ api, token, quick }) => {
  const rounds = quick ? 50 : 500;
  await using sandbox = await Sandbox.create({ endpoint: api, token, timeout: "10m" });
  const repl = await sandbox.deno.repl({ stdout: "null", stderr: "null" });
  const evals = await timed(rounds, async () => {
    if (await repl.eval("1 + 1") !== 2) throw new Error("wrong answer");
  });
  const echoes = await echoTimes(`${api}/api/v3/sandbox/${sandbox.id}/connect`, token, rounds);
  await repl.close();
  await sandbox.kill();
  const name = { scenario: "eval_rtt", unit: "ms" };
  return [
    figure({ ...name, metric: "p50" }, {
      value: percentile(evals, 50),
      floor: percentile(echoes, 50),
      target: { on: "value", at: "most", than: 3 },
    }),
    figure({ ...name, metric: "p99" }, {
      value: percentile(evals, 99),
      floor: percentile(echoes, 99),
    }),
  ];
};
export default evalRtt;

async function echoTimes(url: string, token: string, rounds: number): Promise<number[]> {
  const socket = new WebSocket(
    url.replace(/^http/, "ws"),
    [],
    {
      headers: { authorization: `Bearer ${token}` },
      createConnection: (options: unknown) =>
        connect({ ...options as { port: number; host: string }, noDelay: true }),
    } as ConstructorParameters<typeof WebSocket>[2],
  );
  await new Promise<void>((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("error", reject);
  });
  try {
    return await timed(rounds, () =>
      new Promise((resolve) => {
        socket.once("message", () => resolve());
        socket.send("ping");
      }));
  } finally {
    socket.close();
  }
}

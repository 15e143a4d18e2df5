import { Sandbox } from "@paddock/sandbox";
import { figure } from "../figure.ts";
import type { WebSocketsArgument, WebSocketsResult } from "../load/websockets.ts";
import { startLoad } from "../load_program.ts";
import { exposePaths } from "../preview.ts";
import { peakResident, residentBytes } from "../resident.ts";
import type { Scenario } from "../scenario.ts";

const MiB = 1 << 20;
const port = 8000;
const guestServer = `
  Deno.serve({ hostname: "0.0.0.0", port: ${port} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
`;

/** What idle WebSockets through the gateway cost the daemon; each one echoes before and after. */
const websockets: Scenario = async (context) => {
  const { api, token, daemonPid, quick, say } = context;
  const count = quick ? 100 : 1000;
  await using sandbox = await Sandbox.create({ endpoint: api, token, memory: "2GiB" });
  await using server = await sandbox.deno.run({ code: guestServer, stdout: "null" });
  if (!await server.httpReady) throw new Error("the server in the guest did not start");
  const { preview } = await exposePaths(sandbox, port, context);

  // Some come and go first: what the first connection ever loads is not what a connection costs.
  await using warmUp = startLoad("websockets", argumentOf(20));
  await warmUp.next();
  warmUp.end();
  await warmUp.next();
  await settle(quick);

  const before = await residentBytes(daemonPid);
  await using load = startLoad("websockets", argumentOf(count));
  let open = 0;
  const peak = await peakResident(daemonPid, async () => {
    open = (await load.next<WebSocketsResult>()).echoing;
    await settle(quick);
  });
  const after = await residentBytes(daemonPid);
  load.end();
  const still = (await load.next<WebSocketsResult>()).echoing;
  say(`${open} of ${count} echoed when open, ${still} at the end`);
  return [
    figure({ scenario: "websockets", metric: "echoing", unit: "connections" }, {
      value: Math.min(open, still),
      target: { on: "value", at: "least", than: count },
    }),
    figure({ scenario: "websockets", metric: "daemon_growth", unit: "MiB" }, {
      value: (after - before) / MiB,
      target: { on: "value", at: "most", than: 30 },
    }),
    figure({ scenario: "websockets", metric: "daemon_growth_peak", unit: "MiB" }, {
      value: (peak - before) / MiB,
    }),
  ];

  function argumentOf(count: number): WebSocketsArgument {
    return { target: preview, count };
  }
};
export default websockets;

/** Idle means idle: garbage of the opening is collected, buffers are given back. */
const settle = (quick: boolean) => new Promise((r) => setTimeout(r, quick ? 2000 : 15_000));

import assert from "node:assert/strict";
import { createMetrics } from "./metrics.ts";
import { listenForMetrics } from "./metrics_listener.ts";

Deno.test("what an engine reports is there for Prometheus, at an address of its own", async () => {
  const metrics = createMetrics();
  metrics.meters.created("gvisor", "pooled", 12);
  metrics.meters.createFailed("gvisor");
  metrics.meters.pool("gvisor", true);
  metrics.meters.pool("gvisor", false);
  metrics.meters.restored("gvisor", "ahead", 150);
  metrics.meters.paused("gvisor", 300);
  const state = (state: string) => ({ state });
  metrics.watch(
    {
      list: () => [state("running"), state("running"), state("paused")],
      pools: () => [{ driver: "gvisor", waiting: 3 }],
    } as unknown as Parameters<typeof metrics.watch>[0],
  );
  await using listener = await listenForMetrics(metrics, { host: "127.0.0.1", port: 0 });
  const at = `http://127.0.0.1:${listener.port}`;
  const response = await fetch(`${at}/metrics`);
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=/);
  const lines = (await response.text()).split("\n");
  for (
    const line of [
      'paddock_create_seconds_bucket{le="0.02",driver="gvisor",origin="pooled"} 1',
      'paddock_create_seconds_bucket{le="0.01",driver="gvisor",origin="pooled"} 0',
      'paddock_create_failures_total{driver="gvisor"} 1',
      'paddock_pool_takes_total{driver="gvisor",outcome="hit"} 1',
      'paddock_pool_takes_total{driver="gvisor",outcome="wait"} 1',
      'paddock_restore_seconds_sum{driver="gvisor",what="ahead"} 0.15',
      'paddock_pause_seconds_count{driver="gvisor"} 1',
      'paddock_sandboxes{state="running"} 2',
      'paddock_sandboxes{state="paused"} 1',
      'paddock_sandboxes{state="creating"} 0',
      'paddock_pool_waiting{driver="gvisor"} 3',
    ]
  ) assert.ok(lines.includes(line), `${line} is not in\n${lines.join("\n")}`);
  const other = await fetch(`${at}/`);
  assert.equal(other.status, 404);
  assert.match(await other.text(), /\/metrics/);
  await assert.rejects(
    listenForMetrics(metrics, { host: "127.0.0.1", port: listener.port }),
    { code: "ADDRESS_IN_USE", field: "metricsListen" },
  );
});

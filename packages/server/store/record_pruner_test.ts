import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultLimits } from "@paddock/protocol";
import { createLog } from "../log.ts";
import { startPruning } from "./record_pruner.ts";
import { openStore } from "./store.ts";

Deno.test("a server that starts forgets all that is too old, in small steps", async () => {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "paddock-pruner-"));
  stack.defer(() => rm(dataDir, { recursive: true }));
  const store = stack.use(openStore(dataDir));
  const organizationId = await store.organizations.ensure("acme");
  for (let made = 0; made < 450; made++) {
    store.records.insert({
      ...{
        id: `sbx_ams_${String(made).padStart(20, "0")}`,
        organizationId,
        alias: null,
        parent: null,
        template: null,
      },
      ...{ region: "ams", driver: "gvisor", state: made === 0 ? "running" : "stopped" },
      ...{
        labels: {},
        memoryBytes: 1,
        createdAt: 1,
        stopAt: null,
        endReason: null,
        pauseAfterIdleMs: null,
        paused: null,
      },
      stoppedAt: made === 0 ? null : made,
    });
  }
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", write: (line) => lines.push(line) });
  stack.use(startPruning(store, defaultLimits, log));
  const deadline = performance.now() + 10_000;
  while (lines.length === 0) {
    assert.ok(performance.now() < deadline, "nothing was forgotten");
    await new Promise((again) => setTimeout(again, 10));
  }
  assert.equal(JSON.parse(lines[0]).sandboxes, 449);
  const left = await store.sandboxes.list({ organizationId, labels: {}, status: "all" });
  assert.deepEqual(left.map(({ state }) => state), ["running"]);
});

import assert from "node:assert/strict";
import type { SandboxMetadata } from "@paddock/sandbox";
import { renderList } from "./list.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const item: SandboxMetadata = {
  id: "sbx_ord_0123456789abcdefghjk",
  sandboxId: "sbx_ord_0123456789abcdefghjk",
  status: "running",
  region: "ord",
  createdAt: new Date("2026-01-01T11:58:30Z"),
  stoppedAt: null,
  labels: { user: "ada" },
  driver: "gvisor",
  origin: "restored",
  capabilities: [],
  memoryMb: 512,
  stopAt: new Date("2026-01-01T12:03:00Z"),
  endReason: null,
  parent: null,
  pausedAt: null,
  template: null,
};

Deno.test("a list shows age, what remains, memory and labels", () => {
  const [, row] = renderList([item], now).split("\n");
  assert.deepEqual(row.split(/ {2,}/), [
    item.id,
    "running",
    "gvisor",
    "1m 30s",
    "3m",
    "512 MiB",
    "user=ada",
  ]);
});

Deno.test("a session has no end to count down to, and an ended sandbox nothing that remains", () => {
  const session = renderList([{ ...item, stopAt: null }], now);
  assert.match(session, /1m 30s +session +512 MiB/);
  const ended = renderList([
    {
      ...item,
      status: "stopped",
      stoppedAt: new Date("2026-01-01T11:59:00Z"),
      endReason: "killed",
    },
  ], now);
  assert.match(ended, /stopped \(killed\) +gvisor +1m 30s +512 MiB/);
});

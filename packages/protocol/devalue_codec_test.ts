import assert from "node:assert/strict";
import { devalueCodec } from "./devalue_codec.ts";
import type { JsonRpcNotification } from "./json_rpc.ts";

const cancel = (...values: unknown[]) =>
  JSON.stringify([
    ...[{ jsonrpc: 1, method: 2, params: 3 }, "2.0", "$sandbox.stream.cancel"],
    ...[{ streamId: 4, reason: 5 }, 99, ...values],
  ]);

Deno.test("devalue: an array of four thousand million holes is refused", () => {
  assert.throws(() => devalueCodec.decodeMessage(cancel([-7, 4_000_000_000, 0, 4])), {
    code: "PARSE_ERROR",
  });
});

Deno.test("devalue: many sparse arrays cost what their message does", () => {
  const count = 5_000;
  const references = Array.from({ length: count }, (_, i) => 6 + i);
  const text = cancel(references, ...references.map(() => [-7, 1_000_000]));
  const before = Deno.memoryUsage().rss;
  const message = devalueCodec.decodeMessage(text) as JsonRpcNotification;
  assert.ok(Deno.memoryUsage().rss - before < 256 * 1024 * 1024);
  const notification = devalueCodec.decodeNotification(message);
  assert.ok(notification?.type === "stream.cancel" && notification.reason instanceof Error);
});

Deno.test("devalue: a reason that references unfold to ten thousand million values", () => {
  const levels = Array.from({ length: 10 }, (_, level) => Array(10).fill(6 + level));
  const message = devalueCodec.decodeMessage(cancel(...levels, "x")) as JsonRpcNotification;
  const notification = devalueCodec.decodeNotification(message);
  assert.ok(notification?.type === "stream.cancel" && notification.reason instanceof Error);
});

import { strict as assert } from "node:assert";
import { diskLimiter, networkLimiter } from "./_rate_limits.ts";

Deno.test("rate limits: a second's worth is the bucket, and no limit is no limiter", () => {
  assert.equal(diskLimiter(undefined), undefined);
  assert.equal(diskLimiter({ networkBytesPerSecond: 5 }), undefined);
  assert.deepEqual(diskLimiter({ diskBytesPerSecond: 1_000, diskOperationsPerSecond: 10 }), {
    bandwidth: { size: 1_000, refill_time: 1_000 },
    ops: { size: 10, refill_time: 1_000 },
  });
  assert.deepEqual(networkLimiter({ networkPacketsPerSecond: 7 }), {
    ops: { size: 7, refill_time: 1_000 },
  });
});

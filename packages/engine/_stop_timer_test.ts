import { strict as assert } from "node:assert";
import { sleep } from "@paddock/driver";
import { StopTimer } from "./_stop_timer.ts";

Deno.test("a stop timer fires once, at its time, and not when disposed", async () => {
  let fired = 0;
  const timer = new StopTimer(Date.now() + 50, () => fired++);
  timer.at = Date.now() + 120;
  using _far = new StopTimer(Date.now() + 90 * 24 * 3_600_000, () => fired += 100);
  const disposed = new StopTimer(Date.now() + 50, () => fired += 10);
  disposed[Symbol.dispose]();
  await sleep(90);
  assert.equal(fired, 0);
  await sleep(120);
  assert.equal(fired, 1);
  timer[Symbol.dispose]();
});

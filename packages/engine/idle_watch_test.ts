import { strict as assert } from "node:assert";
import { sleep } from "@paddock/driver";
import { IdleWatch } from "./_idle_watch.ts";

Deno.test("idle is who was left by everybody for so long, while it is watched", async () => {
  let idle = 0;
  using watch = new IdleWatch(60, () => idle++);
  await sleep(100);
  assert.equal(idle, 0, "nobody has started it");
  const [first, second] = [watch.hold(), watch.hold()];
  watch.start();
  first.release();
  first.release();
  await sleep(100);
  assert.equal(idle, 0, "one is still there");
  second.release();
  await sleep(150);
  assert.equal(idle, 1);
  watch.stop();
  watch.hold().release();
  await sleep(100);
  assert.equal(idle, 1);
  using never = new IdleWatch(undefined, () => idle++);
  never.start();
  await sleep(30);
  assert.equal(idle, 1);
});

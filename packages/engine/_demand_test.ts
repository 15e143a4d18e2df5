import { strict as assert } from "node:assert";
import { Demand } from "./_demand.ts";

Deno.test("demand is the largest burst of the last two minutes", () => {
  const demand = new Demand();
  assert.equal(demand.peak(0), 0);
  for (const time of [0, 100, 200]) demand.note(time);
  for (const time of [10_000, 20_000, 20_500]) demand.note(time);
  assert.equal(demand.peak(30_000), 3);
  assert.equal(demand.peak(121_000), 2);
  assert.equal(demand.peak(200_000), 0);
});

import { strict as assert } from "node:assert";
import { Restless } from "./_restless.ts";

/** A machine that takes this share of a processor. */
function waiting(share: () => number) {
  let cpuMicroseconds = 0;
  const usage = () => {
    cpuMicroseconds += share() * 5_000_000;
    return Promise.resolve({ memoryBytes: 0, cpuMicroseconds });
  };
  return { place: { machine: { usage } } };
}

Deno.test("a machine that computes at each of three looks is restless; one that tidied up is not", async () => {
  const idle = waiting(() => 0.002);
  const burning = waiting(() => 0.2);
  let first = 2;
  const tidying = waiting(() => first-- > 0 ? 0.9 : 0.01);
  const restless = new Restless();
  const all = [idle, burning, tidying];
  const looks = [];
  for (const now of [0, 5_000, 10_000, 15_000]) looks.push(await restless.among(all, now));
  assert.deepEqual(looks, [[], [], [], [burning]]);
});

Deno.test("one that has just begun to wait has time", async () => {
  const restless = new Restless();
  const late = waiting(() => 1);
  assert.deepEqual(await restless.among([], 0), []);
  for (const now of [5_000, 5_000, 10_000, 15_000]) {
    assert.deepEqual(await restless.among([late], now), []);
  }
  assert.deepEqual(await restless.among([late], 20_000), [late]);
});

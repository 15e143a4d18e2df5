import { strict as assert } from "node:assert";
import { figure, percentile } from "./figure.ts";

const name = { scenario: "s", metric: "m", unit: "ms" };

Deno.test("percentiles are samples, whatever their order", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => (i * 37) % 100);
  assert.equal(percentile(hundred, 50), 50);
  assert.equal(percentile(hundred, 99), 99);
  assert.equal(percentile(hundred, 0), 0);
  assert.equal(percentile(hundred, 100), 99);
  assert.equal(percentile([10, 9], 50), 10);
  assert.equal(percentile([7], 50), 7);
});

Deno.test("a target is held against the value or the ratio, and says which", () => {
  const most = figure(name, {
    value: 12,
    floor: 10,
    target: { on: "ratio", at: "most", than: 1.1 },
  });
  assert.deepEqual([most.ratio, most.met, most.target], [1.2, false, "ratio ≤ 1.1 × floor"]);
  const least = figure(name, { value: 12, target: { on: "value", at: "least", than: 12 } });
  assert.deepEqual([least.ratio, least.met, least.target], [null, true, "value ≥ 12 ms"]);
  assert.equal(figure(name, { value: 1 }).met, null);
});

Deno.test("what is held is what was measured, not what is shown of it", () => {
  const close = figure(name, { value: 10.0001, target: { on: "value", at: "most", than: 10 } });
  assert.deepEqual([close.value, close.met], [10, false]);
});

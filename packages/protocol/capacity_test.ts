import { strict as assert } from "node:assert";
import { parseCapacity } from "./capacity.ts";
import { volumeSlugProblem } from "./volume_slug.ts";

Deno.test("capacities: bytes, or a number with a binary or decimal unit", () => {
  assert.equal(parseCapacity(300_000_000), 300_000_000);
  assert.equal(parseCapacity("10GB"), 10_000_000_000);
  assert.equal(parseCapacity("10GiB"), 10 * 1024 ** 3);
  assert.equal(parseCapacity("1.5MiB"), 1_572_864);
  assert.equal(parseCapacity("512MB"), 512_000_000);
  assert.equal(parseCapacity("4kB") + parseCapacity("4KiB"), 8096);
  for (const bad of ["", "10", "GB", "-1GB", "10 GB", "10gb", "1e3GB", "0GB", "99999999999999GB"]) {
    assert.throws(() => parseCapacity(bad), TypeError, bad);
  }
  for (const bad of [0, -1, 1.5, NaN, Infinity, 2 ** 60]) {
    assert.throws(() => parseCapacity(bad), TypeError, String(bad));
  }
});

Deno.test("slugs are as published clients describe them", () => {
  for (const slug of ["ab", "my-volume", "0-9", "a--b", "abc--d", "x".repeat(32)]) {
    assert.equal(volumeSlugProblem(slug), undefined, slug);
  }
  for (const slug of ["", "a", "-ab", "ab-", "ab--cd", "Ab", "a_b", "ä1", "x".repeat(33), "a b"]) {
    assert.equal(typeof volumeSlugProblem(slug), "string", slug);
  }
});

import assert from "node:assert/strict";
import { chosenNameProblem, newExposureName } from "./exposure_name.ts";

Deno.test("a drawn name is a DNS label of 26 letters, and every letter occurs", () => {
  const seen = new Set<string>();
  const names = new Set<string>();
  for (let drawn = 0; drawn < 2_000; drawn++) {
    const name = newExposureName();
    assert.match(name, /^[0-9a-hjkmnp-tv-z]{26}$/);
    for (const letter of name) seen.add(letter);
    names.add(name);
  }
  assert.deepEqual([seen.size, names.size], [32, 2_000]);
});

Deno.test("an owner's name is a label that cannot be taken for a drawn one or the operator's", () => {
  for (const good of ["shop", "a1b", "my-app-2", "a".repeat(40), "x-n--shop"]) {
    assert.equal(chosenNameProblem(good), undefined, good);
  }
  const bad = ["", "ab", "Shop", "1shop", "-shop", "shop-", "a.b", "a_b", "shöp", "a".repeat(41)];
  for (const name of [...bad, "xn--shop", "ab--cd", "a".repeat(26), "www", "api", "shop\n"]) {
    assert.equal(typeof chosenNameProblem(name), "string", name);
  }
});

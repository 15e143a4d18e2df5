import { strict as assert } from "node:assert";
import { readFlags } from "./flags.ts";

const names = ["pool", "density"];

Deno.test("a command line of the bench is read, or what is wrong with it told", () => {
  assert.deepEqual(readFlags(["--json", "x.json", "--count", "5", "pool"], names), {
    ...{ json: "x.json", charts: undefined, count: 5, quick: false, wanted: ["pool"] },
  });
  const density = readFlags(["--count", "max", "density"], names);
  assert.equal(typeof density === "object" && density.count, Infinity);
  const wrong: [string[], RegExp][] = [
    [["--help"], /Scenarios: pool, density/],
    [["--nope"], /--nope/],
    [["--count", "many"], /a number or "max", not "many"/],
    [["--count", "0"], /not "0"/],
    [["--count", "max", "pool"], /density alone/],
    [["nothing"], /unknown scenario "nothing"; there are: pool, density/],
  ];
  for (const [args, message] of wrong) assert.match(String(readFlags(args, names)), message);
});

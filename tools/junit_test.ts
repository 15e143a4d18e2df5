import assert from "node:assert/strict";
import { readJunit } from "./junit.ts";

const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="4" failures="2" errors="0" time="0.009">
  <testsuite name="./a_test.ts" tests="4" disabled="1" errors="0" failures="2">
    <testcase name="x &lt;a&gt; &amp; &quot;b&quot;" classname="./a_test.ts" time="0.002" line="1">
      <failure message="boom">Error: boom
]]&gt; here</failure>
    </testcase>
    <testcase name="skipped &#x2014; no KVM" classname="./a_test.ts" time="0.000"><skipped/></testcase>
    <testcase name="fine" classname="./a_test.ts" time="1.250"></testcase>
    <testcase name="short" classname="./a_test.ts" time="0.000">
      <error message="no body &amp; more"/>
    </testcase>
  </testsuite>
</testsuites>`;

Deno.test("a junit report gives every case its outcome and its reason", () => {
  const results = readJunit(report);
  assert.deepEqual(
    results.map(({ name, outcome }) => [name, outcome]),
    [
      ['x <a> & "b"', "failed"],
      ["skipped — no KVM", "skipped"],
      ["fine", "passed"],
      ["short", "failed"],
    ],
  );
  assert.equal(results[0].output, "Error: boom\n]]> here");
  assert.equal(results[3].output, "no body & more");
  assert.equal(results[2].seconds, 1.25);
  assert.equal(results[0].file, "a_test.ts");
});

Deno.test("no report, no results", () => assert.deepEqual(readJunit(""), []));

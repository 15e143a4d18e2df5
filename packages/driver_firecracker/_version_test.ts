import { strict as assert } from "node:assert";
import { versionIn, versionProblem } from "./_version.ts";

Deno.test("versions: what the programs print is understood, and nothing else", () => {
  const said = "Firecracker v1.16.1\n\n2026-01-01T00:00:00 [anonymous-instance:main] exiting\n";
  assert.equal(versionIn(said, "Firecracker"), "1.16.1");
  assert.equal(versionIn("Jailer v1.16.1\n", "Jailer"), "1.16.1");
  assert.equal(versionIn("Jailer v1.16.1\n", "Firecracker"), undefined);
  assert.equal(versionIn("Firecracker v1.17.0-dev\n", "Firecracker"), "1.17.0-dev");
  assert.equal(versionIn("some other program 1.16.1", "Firecracker"), undefined);
});

Deno.test("versions: the range is held at both ends, and the problem names it", () => {
  for (const version of ["1.15.0", "1.16.1", "1.17.0-dev", "1.100.0"]) {
    assert.equal(versionProblem(version), undefined, version);
  }
  for (const version of ["1.14.9", "0.25.0", "2.0.0", "2.1.0", "unknown", "1.15"]) {
    assert.match(versionProblem(version) ?? "", /1\.15\.0 up to, not including, 2\.0\.0/, version);
  }
});

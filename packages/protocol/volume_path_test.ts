import { strict as assert } from "node:assert";
import { overlappingPaths, volumePathProblem } from "./volume_path.ts";

Deno.test("a volume's path: absolute, plain, and nothing that the guest lives from", () => {
  for (
    const path of ["/data", "/data/volume1", "/home/sandbox", "/usr/local", "/var/lib/db", "/ü"]
  ) {
    assert.equal(volumePathProblem(path), undefined, path);
  }
  const refused = [
    ...["", "data", "./data", "/", "//", "/data/", "/data//x", "/data/..", "/../etc", "/data/./x"],
    ...["/proc", "/proc/1", "/sys/kernel", "/dev", "/dev/shm", "/opt/paddock", "/opt/paddock/x"],
    ...["/opt", "/etc", "/usr", "/usr/bin", "/lib", "/run", "/home", "/a\0b", "/a\nb"],
    "/" + "x".repeat(255),
  ];
  for (const path of refused) assert.equal(typeof volumePathProblem(path), "string", path);
});

Deno.test("volumes inside each other, or at one place, are found", () => {
  assert.deepEqual(overlappingPaths(["/a", "/b", "/a/c"]), ["/a", "/a/c"]);
  assert.deepEqual(overlappingPaths(["/a", "/a"]), ["/a", "/a"]);
  assert.equal(overlappingPaths(["/a", "/ab", "/b/a"]), undefined);
});

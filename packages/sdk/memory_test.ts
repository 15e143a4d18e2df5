import assert from "node:assert/strict";
import { InvalidMemoryError, Sandbox } from "./mod.ts";
import { type Memory, parseMemoryMb } from "./memory.ts";
import { toConfig } from "./sandbox_options.ts";

Deno.test("memory sizes are bytes or have a unit", () => {
  assert.equal(parseMemoryMb("1GiB"), 1024);
  assert.equal(parseMemoryMb("1GB"), 953);
  assert.equal(parseMemoryMb("1.5GiB"), 1536);
  assert.equal(parseMemoryMb("786432KiB"), 768);
  assert.equal(parseMemoryMb(805306368), 768);
  for (const bad of ["1gb", "1 GiB", "GiB", "-1GiB", "", 12, NaN]) {
    assert.throws(() => parseMemoryMb(bad as Memory), InvalidMemoryError, String(bad));
  }
});

Deno.test("both spellings of options mean the same", () => {
  assert.deepEqual(toConfig({ lifetime: "30s", memoryMb: 256 }), {
    timeout: "30s",
    memory_mb: 256,
  });
  assert.deepEqual(toConfig({ timeout: "session" }), {});
  assert.deepEqual(toConfig({ volumes: { "/data": "vol" }, root: "snap" }), {
    root: { volume: "snap" },
    volumes: [{ volume: "vol", path: "/data" }],
  });
  assert.throws(() => toConfig({ timeout: "5 minutes" as never }), /Examples/);
});

Deno.test("a sandbox cannot be constructed", () => {
  assert.throws(() => new (Sandbox as never as new () => unknown)(), /Sandbox.create/);
});

import assert from "node:assert/strict";
import { formatBytes, formatDuration, formatLabels, formatTable } from "./format.ts";

Deno.test("bytes are shown in the largest unit that keeps them above one", () => {
  assert.equal(formatBytes(0), "0 B");
  assert.equal(formatBytes(1023), "1023 B");
  assert.equal(formatBytes(1536), "1.5 KiB");
  assert.equal(formatBytes(512 * 1024 ** 2), "512 MiB");
  assert.equal(formatBytes(10 * 1024 ** 3), "10 GiB");
});

Deno.test("durations name at most two units and never go below zero", () => {
  assert.equal(formatDuration(45_000), "45s");
  assert.equal(formatDuration(300_000), "5m");
  assert.equal(formatDuration(3_990_000), "1h 6m");
  assert.equal(formatDuration(90_061_000), "1d 1h");
  assert.equal(formatDuration(86_400_000 + 61_000), "1d");
  assert.equal(formatDuration(-1), "0s");
});

Deno.test("labels without a value are shown by their key", () => {
  assert.equal(formatLabels({ user: "ada", keep: "" }), "user=ada,keep");
});

Deno.test("a table pads all columns but the last", () => {
  assert.equal(
    formatTable(["ID", "STATE"], [["sbx_1", "running"], ["sbx_22", "stopped"]]),
    "ID      STATE\nsbx_1   running\nsbx_22  stopped",
  );
});

Deno.test("a table shows control characters of strangers as text", () => {
  assert.equal(formatTable(["L"], [["a\x1b[2Jb\nc"]]), "L\na\\x1b[2Jb\\nc");
});

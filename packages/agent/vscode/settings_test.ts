import assert from "node:assert/strict";
import { mergeSettings, writeSettings } from "./settings.ts";

Deno.test("settings: ours, below what the user made of them, below what is asked", () => {
  const merged = mergeSettings(
    { "editor.fontSize": 20, "deno.enable": false },
    { "editor.fontSize": 12, nested: { a: 1 } },
  );
  assert.equal(merged["editor.fontSize"], 12);
  assert.equal(merged["deno.enable"], false);
  assert.equal(merged["telemetry.telemetryLevel"], "off");
  assert.deepEqual(merged.nested, { a: 1 });
});

Deno.test("settings: a file with comments stays, and what is no object is refused", async () => {
  const dir = await Deno.makeTempDir({ prefix: "paddock-settings-" });
  try {
    const warnings: string[] = [];
    const warn = (text: string) => warnings.push(text);
    const path = `${dir}/User/settings.json`;
    writeSettings(`${dir}/User`, { "a.b": 1 }, warn);
    writeSettings(`${dir}/User`, undefined, warn);
    assert.equal(JSON.parse(await Deno.readTextFile(path))["a.b"], 1);
    await Deno.writeTextFile(path, "// mine\n{}");
    writeSettings(`${dir}/User`, { "a.b": 2 }, warn);
    assert.equal(await Deno.readTextFile(path), "// mine\n{}");
    assert.equal(warnings.length, 1);
    for (const wrong of [[], "text", 3, null]) {
      assert.throws(() => writeSettings(`${dir}/User`, wrong, warn), { code: "INVALID_PARAMS" });
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

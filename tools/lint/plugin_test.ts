/// <reference lib="deno.unstable" />
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import plugin from "./plugin.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

function lint(file: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, root + file, source).map(({ id, message }) =>
    `${id}: ${message}`
  );
}

function rules(file: string, source: string): string[] {
  return lint(file, source).map((line) => line.split(":")[0]);
}

Deno.test("imports point downwards only", () => {
  const upward = [
    ["packages/protocol/a.ts", `import { x } from "@paddock/agent";`],
    ["packages/engine/a.ts", `import type { X } from "@paddock/server";`],
    ["packages/driver/a.ts", `export { x } from "@paddock/driver-gvisor";`],
    ["packages/sdk/a.ts", `await import("@paddock/engine");`],
    ["packages/agent/b/a.ts", `import { x } from "../../driver/mod.ts";`],
    ["packages/server/a.ts", `import { x } from "../../images/build_image.ts";`],
    ["packages/cli/a.ts", `import { x } from "../../tests/harness.ts";`],
    ["packages/unheard_of/a.ts", `import { x } from "@paddock/protocol";`],
  ];
  for (const [file, source] of upward) {
    assert.deepEqual(rules(file, source), ["paddock/package-order"], `${file}: ${source}`);
  }
  const downward = [
    ["packages/cli/a.ts", `import { x } from "@paddock/server"; import "../../images/a.ts";`],
    ["packages/sdk/a_test.ts", `import { x } from "../../node_modules/zod/index.js";`],
    ["packages/cli/a_machine_test.ts", `import { x } from "../../tests/harness.ts";`],
    ["packages/server/http/a.ts", `import { x } from "../store/b.ts"; import "zod";`],
    ["packages/engine/a.ts", `import { x } from "@paddock/driver"; import "node:fs";`],
    ["tests/e2e/a.ts", `import { x } from "@paddock/engine";`],
  ];
  for (const [file, source] of downward) assert.deepEqual(rules(file, source), [], source);
});

Deno.test("the message names both packages", () => {
  const [line] = lint("packages/agent/a.ts", `import { x } from "@paddock/engine";`);
  assert.match(line, /agent may not import engine: it may import protocol/);
});

Deno.test("a private file is imported from its own folder only", () => {
  assert.deepEqual(rules("packages/sdk/a.ts", `import { x } from "./_b.ts";`), []);
  for (const specifier of ["../_b.ts", "./c/_b.ts", "../c/_b.ts"]) {
    const source = `import { x } from "${specifier}";`;
    assert.deepEqual(rules("packages/sdk/d/a.ts", source), ["paddock/private-import"]);
  }
});

Deno.test("nothing is exported with a star", () => {
  assert.deepEqual(rules("tools/a.ts", `export * from "./b.ts";`), ["paddock/export-all"]);
  assert.deepEqual(rules("tools/a.ts", `export { b } from "./b.ts";`), []);
});

Deno.test("no test is left out without saying why", () => {
  const silent = [
    `Deno.test.only("x", () => {});`,
    `Deno.test.ignore("x", () => {});`,
    `Deno.test({ name: "x", ignore: true, fn() {} });`,
    `Deno.test({ name: "x", ignore: noKvm, fn() {} });`,
    `Deno.test({ name: "x", only: true, fn() {} });`,
    `Deno.test("x", { ignore: noKvm }, () => {});`,
    `Deno.test("x", async (t) => { await t.step({ name: "y", ignore: true, fn() {} }); });`,
  ];
  for (const source of silent) {
    assert.deepEqual(rules("tools/a_test.ts", source), ["paddock/silent-skip"], source);
  }
  const said = "Deno.test({ name: `x (skipped: ${reason})`, ignore: reason !== '', fn() {} });";
  assert.deepEqual(rules("tools/a_test.ts", said), []);
});

import assert from "node:assert/strict";
import { rewriteModules } from "./rewrite_modules.ts";

const cases: [name: string, code: string, expected: string][] = [
  ["code without modules", "1 + 1", "1 + 1"],
  ["the word in a string", `"import x from 'y'"`, `"import x from 'y'"`],
  ["default", `import a from "x"; a`, `const { default: a } = await $paddock.import("x"); a`],
  ["side effect", `import "x";`, `void await $paddock.import("x");`],
  ["namespace", `import * as n from 'x'`, `const n = await $paddock.import("x")`],
  [
    "default and namespace",
    `import d, * as n from "x"`,
    `const n = await $paddock.import("x"), { default: d } = n`,
  ],
  [
    "names, some renamed",
    `import { a, b as c, } from "x"`,
    `const { a, b: c } = await $paddock.import("x")`,
  ],
  [
    "default, names and comments",
    `import d, { /* one */ a } from "x"`,
    `const { default: d, a } = await $paddock.import("x")`,
  ],
  [
    "a string name",
    `import { "a-b" as ab } from "x"`,
    `const { "a-b": ab } = await $paddock.import("x")`,
  ],
  [
    "attributes",
    `import j from "./j.json" with { type: "json" }`,
    `const { default: j } = await $paddock.import("./j.json", { with: {"type":"json"} })`,
  ],
  [
    "a name that begins with from",
    `import from1 from "x"`,
    `const { default: from1 } = await $paddock.import("x")`,
  ],
  ["dynamic", `await import(a + "b")`, `await $paddock.import(a + "b")`],
  ["dynamic in a template", "`${import('x')}`", "`${$paddock.import('x')}`"],
  ["meta", "import.meta.url", "$paddock.meta.url"],
  ["exported declaration", "export const a = 1; a", " const a = 1; a"],
  ["exported function", "export default function f() {}", "function f() {}"],
  ["exported expression", "export default 1 + 1", "var $default = 1 + 1"],
  ["export list", "const a = 1; export { a as b }; a", "const a = 1;  a"],
  ["export from", `export { a } from "x"`, `const { a } = await $paddock.import("x")`],
  ["what is no module", "import {", "import {"],
];

for (const [name, code, expected] of cases) {
  Deno.test(`modules in a REPL: ${name}`, () => assert.equal(rewriteModules(code), expected));
}

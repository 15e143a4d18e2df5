import assert from "node:assert/strict";
import { checkTree, maxLines } from "./tree_rules.ts";

function messages(path: string, text = ""): string[] {
  return checkTree([{ path, text }]).map((finding) => finding.message);
}

Deno.test("file names are snake_case", () => {
  for (const path of ["a/readFile.ts", "a/read-file.ts", "a/ReadFile.mjs", "a/x..ts"]) {
    assert.match(messages(path).join(), /snake_case/, path);
  }
  for (const path of ["a/read_file.ts", "a/_read2.ts", "a/x.d.ts", "docs/READ-ME.md", "01_x.ts"]) {
    assert.deepEqual(messages(path), [], path);
  }
});

Deno.test("no name that says nothing", () => {
  for (const path of ["packages/utils/a.ts", "a/common.ts", "a/Helpers.md", "a/util.test.ts"]) {
    assert.match(messages(path).join(), /says nothing/, path);
  }
  assert.deepEqual(messages("a/common_prefix.ts"), []);
});

Deno.test("a source file has a length that can be read", () => {
  assert.deepEqual(messages("a/b.ts", "x\n".repeat(maxLines)), []);
  assert.match(messages("a/b.ts", "x\n".repeat(maxLines + 1)).join(), /601 lines/);
  assert.deepEqual(messages("a/b.md", "x\n".repeat(maxLines + 1)), []);
});

Deno.test("no registry is named", () => {
  const npm = ["registry.npmjs", "org"].join(".");
  const debian = ["deb.debian", "org"].join(".");
  const [finding] = checkTree([{ path: "a/b.md", text: `one\nsee https://${npm}/x\n` }]);
  assert.equal(finding.line, 2);
  assert.match(messages("x.json", `{"u":"${debian}"}`).join(), /names the package registry/);
  assert.deepEqual(messages("a.ts", "npm, Debian, jsr and crates are words"), []);
});

Deno.test("a file that is not text is only judged by its name", () => {
  assert.deepEqual(checkTree([{ path: "docs/picture.png" }]), []);
});

import assert from "node:assert/strict";
import { findTestFiles, isOfKind } from "./test_files.ts";

Deno.test("the name of a test says when it runs", () => {
  assert(isOfKind("packages/a/b_test.ts", "unit"));
  assert(!isOfKind("packages/a/b_test.ts", "machine"));
  assert(isOfKind("packages/a/b_machine_test.ts", "machine"));
  assert(!isOfKind("packages/a/b_machine_test.ts", "unit"));
  assert(isOfKind("tests/e2e/b_test.ts", "system"));
  assert(!isOfKind("tests/harness.ts", "system"));
});

Deno.test("this very file is found", async () => {
  assert((await findTestFiles("unit")).includes("tools/test_files_test.ts"));
});

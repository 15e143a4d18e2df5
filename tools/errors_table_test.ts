import assert from "node:assert/strict";
import { errorsTable } from "./errors_table.ts";

Deno.test("docs/errors.md has the errors as they are", async () => {
  const page = await Deno.readTextFile(new URL("../docs/errors.md", import.meta.url));
  assert.ok(
    page.includes(errorsTable()),
    "the table is stale: put the output of `deno run -A tools/errors_table.ts` into it",
  );
});

import assert from "node:assert/strict";
import { limitsTable } from "./limits_table.ts";

Deno.test("docs/configuration.md has the limits as they are", async () => {
  const page = await Deno.readTextFile(new URL("../docs/configuration.md", import.meta.url));
  assert.ok(
    page.includes(limitsTable()),
    "the table is stale: put the output of `deno run -A tools/limits_table.ts` into it",
  );
});

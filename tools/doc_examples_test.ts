import assert from "node:assert/strict";
import { runnableExamples } from "./doc_examples.ts";

Deno.test("only blocks that say so are run", () => {
  const markdown = [
    "# Title",
    "```ts run",
    "console.log(1);",
    "```",
    "```ts",
    "never();",
    "```",
    "```sh run",
    "rm -rf x",
    "```",
    "```typescript,run",
    "const a = 2;",
    "",
    "a;",
    "```",
  ].join("\n");
  assert.deepEqual(runnableExamples("README.md", markdown), [
    { file: "README.md", line: 2, code: "console.log(1);\n" },
    { file: "README.md", line: 11, code: "const a = 2;\n\na;\n" },
  ]);
});

import assert from "node:assert/strict";
import { createLog } from "./log.ts";

Deno.test("what a guest wrote reaches no terminal as a control character", () => {
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "pretty", write: (line) => lines.push(line) });
  log.warn("said \x1b[2J", { detail: "a\x1b]0;x\x07b\u009b31mc\nd" });
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(lines.join("").slice(0, -1), /[\x00-\x1f\x7f-\x9f]/);
});

import { strict as assert } from "node:assert";
import { createLog } from "@paddock/server";
import { logUnhandledRejections, UNHANDLED } from "./unhandled_rejections.ts";

Deno.test("a rejection that nothing waits for is told with where it comes from", async () => {
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", write: (line) => lines.push(line) });
  {
    using _handler = logUnhandledRejections(log);
    const where = function thePlace() {
      Promise.reject(new Error("lost"));
    };
    where();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.equal(lines.length, 1);
  const { level, message, error } = JSON.parse(lines[0]);
  assert.deepEqual([level, message], ["error", UNHANDLED]);
  assert.match(error, /lost[^]*thePlace/);
});

import { strict as assert } from "node:assert";
import { lastWords } from "./_last_words.ts";

const stacks = "goroutine 1 [running]:\nmain.main()\n".repeat(1_000);

Deno.test("a machine's last words are the end of what it wrote", () => {
  assert.equal(lastWords(""), "");
  assert.equal(lastWords("short"), "short");
  assert.equal(lastWords("x".repeat(10_000) + "end").length, 4_000);
  assert.match(lastWords("x".repeat(10_000) + "end"), /end$/);
});

Deno.test("of a sentry's panic the reason is kept, however many stacks follow", () => {
  const words = lastWords(
    `started\npanic: earlier\n{"level":"error"}panic: FindRoute: no route to host\n\n${stacks}`,
  );
  assert.match(words, /^panic: FindRoute: no route to host\n\ngoroutine 1/);
  assert.equal(words.length, 4_000);
  assert.match(lastWords(`fatal error: out of memory\n${stacks}`), /^fatal error/);
  assert.equal(lastWords("no panic: here"), "no panic: here");
});

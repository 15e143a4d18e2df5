import assert from "node:assert/strict";
import { EscapeKeys } from "./escape_keys.ts";

/** What passes, with `|` where the way out is taken. */
function type(...parts: string[]): string {
  const keys = new EscapeKeys();
  return parts.map((part) => {
    const { typed, leave } = keys.filter(new TextEncoder().encode(part));
    return new TextDecoder().decode(typed) + (leave ? "|" : "");
  }).join("");
}

Deno.test("the way out is at the start of a line alone", () => {
  assert.equal(type("~."), "|");
  assert.equal(type("ls\r~."), "ls\r|");
  assert.equal(type("ls\r", "~", "."), "ls\r|");
  assert.equal(type("cp a~. b\r"), "cp a~. b\r");
  assert.equal(type("\x03~."), "\x03~.");
});

Deno.test("tildes that mean themselves arrive", () => {
  assert.equal(type("~/bin\r"), "~/bin\r");
  assert.equal(type("~", "/bin\r"), "~/bin\r");
  assert.equal(type("~~.\r"), "~.\r");
  assert.equal(type("\r~~~.\r"), "\r~~.\r");
  assert.equal(type("~\r~."), "~\r|");
  assert.equal(type("grüße ~ 🦆\r"), "grüße ~ 🦆\r");
});

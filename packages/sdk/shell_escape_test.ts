import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { buildShellCommand, escapeShellArg } from "./shell_escape.ts";

const tag = (strings: TemplateStringsArray, ...values: unknown[]) =>
  buildShellCommand(strings, values);

Deno.test("bash gives back exactly what was put into a command", () => {
  const nasty = [
    "it's",
    "$HOME `id` $(id)",
    'a "b" c',
    "",
    "FOO=bar",
    "*",
    "a\nb\tc",
    "\\",
    "~root",
    "-n",
    "ümläut 🦕",
    "!history",
    "{a,b}",
  ];
  const { stdout } = spawnSync("bash", ["-c", tag`printf '%s\\0' ${nasty}`], { encoding: "utf8" });
  assert.deepEqual(stdout.split("\0").slice(0, -1), nasty);
});

Deno.test("an assignment put into a command is a word of it", () => {
  assert.equal(tag`${"FOO=bar"} env`, "'FOO=bar' env");
});

Deno.test("what is no text is refused", () => {
  assert.throws(() => escapeShellArg({}), /object cannot be a shell argument/);
  assert.throws(() => escapeShellArg("a\0b"), /NUL/);
  assert.equal(escapeShellArg(undefined), "''");
  assert.equal(escapeShellArg(42), "42");
});

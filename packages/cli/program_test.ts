import assert from "node:assert/strict";
import type { Command } from "commander";
import { createProgram } from "./program.ts";

const launcher = new URL("./bin/paddock.mjs", import.meta.url).pathname;

async function paddock(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command("node", {
    args: [launcher, ...args],
    env,
    stdin: "null",
    signal: AbortSignal.timeout(30_000),
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("every command has a summary, a help with examples, and a verbose or json form", () => {
  const walk = (command: Command, path: string): void => {
    if (command.commands.length > 0) {
      for (const inner of command.commands) walk(inner, `${path} ${inner.name()}`);
      return;
    }
    assert.ok(command.description(), `${path} has no description`);
    let help = "";
    command.configureOutput({ writeOut: (text) => help += text });
    command.outputHelp();
    assert.match(help, /Examples:\n {2}\S/, `${path} has no examples`);
    assert.ok(
      command.options.some((option) => option.long === "--verbose"),
      `${path} has no --verbose`,
    );
  };
  for (const command of createProgram().commands) walk(command, command.name());
});

Deno.test("help goes to standard output with code 0 and has no colour on a pipe", async () => {
  for (const args of [[], ["--help"], ["exec", "--help"], ["help", "token"]]) {
    const { code, out, err } = await paddock(args);
    assert.equal(code, 0, args.join(" "));
    assert.match(out, /^Usage: paddock/);
    assert.ok(!out.includes("\x1b"), "colour on a pipe");
    assert.equal(err, "");
  }
});

Deno.test("a mistyped command or option ends with 2 and a suggestion", async () => {
  const command = await paddock(["exce"]);
  assert.equal(command.code, 2);
  assert.match(command.err, /unknown command 'exce'\n\(Did you mean exec\?\)/);
  const option = await paddock(["create", "--memroy", "1GiB"]);
  assert.equal(option.code, 2);
  assert.match(option.err, /Did you mean --memory\?/);
});

Deno.test("wrong values end with 2 and say what was expected", async () => {
  for (
    const [args, expected] of [
      [["create", "--memory", "much"], /expected a size such as/],
      [["create", "--timeout", "1d"], /expected a duration such as/],
      [["serve", "--listen", "nowhere"], /expected HOST:PORT/],
      [["create", "--label", "=x"], /expected KEY=VALUE/],
      [["exec"], /missing required argument 'id'/],
      [["eval"], /no code given/],
      [["kill"], /nothing to end/],
      [["cp", "a", "b"], /one of the two paths/],
    ] as const
  ) {
    const { code, err } = await paddock([...args]);
    assert.equal(code, 2, `${args.join(" ")}: ${err}`);
    assert.match(err, expected);
  }
});

Deno.test("a server that is not there is one clear line and code 1, and JSON when asked", async () => {
  const env = { PADDOCK_ENDPOINT: "http://127.0.0.1:9", PADDOCK_TOKEN: "ddo_none" };
  const plain = await paddock(["ls"], env);
  assert.equal(plain.code, 1);
  assert.match(plain.err, /^paddock: .*127\.0\.0\.1:9/);
  assert.ok(!plain.err.includes("ddo_none"), "the token was printed");
  assert.ok(!plain.err.includes("\n    at "), "a stack was printed");
  const json = await paddock(["ls", "--json"], env);
  assert.equal(json.code, 1);
  assert.equal(typeof JSON.parse(json.err).error.message, "string");
});

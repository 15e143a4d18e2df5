import assert from "node:assert/strict";
import type { PaddockError } from "./paddock_error.ts";
import { parseTemplateDefinition } from "./template_definition.ts";

const name = "web";

Deno.test("a definition with everything in it, and one with its name alone", () => {
  const whole = {
    name,
    from: "base",
    memory: "1GiB",
    env: { A: "1" },
    packages: ["jq", "libc6:amd64", "g++", "nginx=1.26.3-3+deb13u1", "curl/trixie"],
    files: [{ from: "app", to: "/srv/app/", root: true }],
    commands: ["true", { run: "true", root: true, cwd: "/srv" }],
    start: { command: "serve", cwd: "app", ready: { port: 8000 }, timeoutSeconds: 5 },
    restored: "kill -HUP 1",
    timeoutSeconds: 60,
  };
  assert.deepEqual(parseTemplateDefinition(whole), whole);
  assert.deepEqual(parseTemplateDefinition({ name }), { name, timeoutSeconds: 1800 });
  const { start } = parseTemplateDefinition({
    name,
    driver: "qemu",
    start: { command: "x", ready: { command: "test -e up" } },
  });
  assert.equal(start!.timeoutSeconds, 60);
});

/** What is wrong, the field that the error names, and a word of why. */
const refused: [string, unknown, string | undefined, RegExp][] = [
  ["no object", [], undefined, /expected object/],
  ["no name", {}, "name", /expected string/],
  ["a name that is none", { name: "Web" }, "name", /a name is 2 to 32 of/],
  ["an unknown field", { name, package: [] }, "package", /not known/],
  [
    "an unknown field inside",
    { name, start: { command: "x", ready: { port: 1 }, ready_: 1 } },
    "start.ready_",
    /not known/,
  ],
  ["a driver that is none", { name, driver: "docker" }, "driver", /./],
  ["a variable's name", { name, env: { "A=B": "" } }, "env", /must not be empty or contain =/],
  ["a variable's value", { name, env: { A: "\0" } }, "env.A", /NUL/],
  [
    "an option among the packages",
    { name, packages: ["jq", "-o=x"] },
    "packages[1]",
    /Debian package/,
  ],
  ["a package with a space", { name, packages: ["a b"] }, "packages[0]", /Debian package/],
  ["a file outside", { name, files: [{ from: "../x", to: "x" }] }, "files[0].from", /folder/],
  [
    "a file outside, further in",
    { name, files: [{ from: "a/../../x", to: "x" }] },
    "files[0].from",
    /folder/,
  ],
  [
    "an absolute file",
    { name, files: [{ from: "/etc/passwd", to: "x" }] },
    "files[0].from",
    /folder/,
  ],
  ["a file that goes nowhere", { name, files: [{ from: "a" }] }, "files[0].to", /expected string/],
  ["an empty command", { name, commands: [""] }, "commands[0]", /./],
  ["a start that is never ready", { name, start: { command: "x" } }, "start.ready", /./],
  [
    "a port that is none",
    { name, start: { command: "x", ready: { port: 0 } } },
    "start.ready.port",
    /./,
  ],
  ["no time", { name, timeoutSeconds: 0 }, "timeoutSeconds", /./],
  ["too much time", { name, timeoutSeconds: 1e9 }, "timeoutSeconds", /./],
];

for (const [what, definition, field, why] of refused) {
  Deno.test(`${what} is refused by its field`, () => {
    assert.throws(() => parseTemplateDefinition(definition), (error: PaddockError) => {
      assert.equal(error.code, "INVALID_TEMPLATE");
      assert.equal(error.field, field);
      assert.match(error.message, why);
      return true;
    });
  });
}

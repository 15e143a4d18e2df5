import assert from "node:assert/strict";
import { parseSudoRequest, sudoCommand, type SudoRequest } from "./sudo_request.ts";

const root = { name: "root", uid: 0, gid: 0, home: "/root", shell: "/bin/bash" };
const caller = { name: "sandbox", uid: 1000, gid: 1000 };
const image = { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" };

const request = (changes: Partial<SudoRequest>): SudoRequest => ({
  token: "t",
  user: "root",
  cwd: "/work",
  flags: "",
  argv: ["id", "-u"],
  callerEnv: { HOME: "/home/sandbox", SECRET: "s", TERM: "xterm", PATH: "/evil" },
  extraEnv: {},
  ...changes,
});

Deno.test("a request is read from its fields", () => {
  const fields = ["1", "tok", "root", "/w", "nE", "2", "1", "echo", "a\nb", "X=1=2", "HOME=/h"];
  assert.deepEqual(parseSudoRequest(fields.map((field) => `${field}\0`).join("")), {
    token: "tok",
    user: "root",
    cwd: "/w",
    flags: "nE",
    argv: ["echo", "a\nb"],
    extraEnv: { X: "1=2" },
    callerEnv: { HOME: "/h" },
  });
  for (
    const text of ["", "2\0", "1\0t\0root\0relative\0\0" + "0\0" + "0\0", "1\0t\0r\0/\0\0x\0y\0"]
  ) {
    assert.equal(parseSudoRequest(text), undefined, JSON.stringify(text));
  }
});

Deno.test("a command gets root's environment and little of the caller's", () => {
  const { command, args, cwd, env } = sudoCommand(request({}), root, caller, image);
  assert.deepEqual([command, args, cwd], ["id", ["-u"], "/work"]);
  assert.equal(env.HOME, "/root");
  assert.equal(env.TERM, "xterm");
  assert.equal(env.PATH, image.PATH);
  assert.equal(env.SECRET, undefined);
  assert.equal(env.SUDO_USER, "sandbox");
});

Deno.test("the caller's environment is kept on request, and variables are set", () => {
  const kept = sudoCommand(request({ flags: "E", extraEnv: { A: "1" } }), root, caller, image).env;
  assert.deepEqual([kept.SECRET, kept.HOME, kept.A, kept.PATH], [
    "s",
    "/home/sandbox",
    "1",
    image.PATH,
  ]);
  assert.equal(sudoCommand(request({ flags: "EH" }), root, caller, image).env.HOME, "/root");
});

Deno.test("shells", () => {
  const shell = (flags: string, argv: string[]) => {
    const { command, args, cwd } = sudoCommand(request({ flags, argv }), root, caller, image);
    return [command, args, cwd];
  };
  assert.deepEqual(shell("i", []), ["/bin/bash", ["-l"], "/root"]);
  assert.deepEqual(shell("i", ["echo", "it's"]), [
    "/bin/bash",
    ["-l", "-c", `echo 'it'\\''s'`],
    "/root",
  ]);
  assert.deepEqual(shell("s", ["ls", "-l"]), ["/bin/bash", ["-c", "ls -l"], "/work"]);
});

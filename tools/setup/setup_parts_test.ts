import assert from "node:assert/strict";
import { parseStatus, parseTarget } from "./apt.mjs";
import { sourceText } from "./apt_backports.mjs";
import { parseReport } from "./guest_image.mjs";
import { parseOsRelease } from "./host.mjs";
import { lockMatches } from "./npm_packages.mjs";
import { createProgress } from "./progress.mjs";
import { qemuVersion, runscDate } from "./required_programs.mjs";
import { runProgram } from "./run_program.mjs";

Deno.test("os-release: quotes and comments", () => {
  const text =
    `# a comment\nID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\nVERSION_CODENAME='bookworm'\n`;
  assert.deepEqual(parseOsRelease(text), {
    ID: "debian",
    PRETTY_NAME: "Debian GNU/Linux 12",
    VERSION_CODENAME: "bookworm",
  });
  assert.deepEqual(parseOsRelease(""), {});
});

Deno.test("apt: progress lines, index targets, the source that is added", () => {
  assert.deepEqual(parseStatus("dlstatus:1:20.5:Retrieving file 1 of 3"), {
    percent: 10.25,
    what: "Retrieving file 1 of 3",
  });
  assert.deepEqual(parseStatus("pmstatus:runsc:60.0:Unpacking runsc (amd64)")?.percent, 80);
  assert.equal(parseStatus("pmerror: something"), undefined);
  assert.deepEqual(parseTarget("http://mirror.example/debian/|bookworm|main"), {
    uri: "http://mirror.example/debian/",
    suite: "bookworm",
    component: "main",
  });
  const source = { uri: "http://mirror.example/debian/", suite: "bookworm-backports" };
  assert.match(
    sourceText({ ...source, keyring: "/k.gpg" }),
    /^Types: deb\nURIs: http:\/\/mirror.example\/debian\/\nSuites: bookworm-backports\nComponents: main\nSigned-By: \/k.gpg\n$/m,
  );
  assert(!sourceText({ ...source, keyring: undefined }).includes("Signed-By"));
});

Deno.test("runsc: the day in its version", () => {
  assert.equal(runscDate("runsc version 0.0~20240729.0\nspec: 1.0.2-dev"), 20240729);
  assert.equal(runscDate("runsc version release-20221219.0"), 20221219);
  assert.equal(runscDate("runsc version VERSION_MISSING"), undefined);
});

Deno.test("qemu: the version that it says", () => {
  assert.equal(qemuVersion("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright"), 10);
  assert.equal(qemuVersion("QEMU emulator version 7.2.19"), 7.2);
  assert.equal(qemuVersion("something else"), undefined);
});

Deno.test("npm: what is installed is compared with the lock file", () => {
  const wanted = {
    "": { version: "1.0.0" },
    "packages/sdk": { version: "0.1.0" },
    "node_modules/zod": { version: "4.0.0", integrity: "sha512-a" },
    "node_modules/@esbuild/win32": { version: "1.0.0", integrity: "sha512-b", optional: true },
  };
  const zod = { "node_modules/zod": { version: "4.0.0", integrity: "sha512-a" } };
  assert(lockMatches(wanted, zod), "a package for another platform may be absent");
  assert(!lockMatches(wanted, {}));
  const other = { "node_modules/zod": { version: "4.0.0", integrity: "sha512-c" } };
  assert(!lockMatches(wanted, other));
  assert(!lockMatches(wanted, { ...zod, "node_modules/left_over": { version: "1.0.0" } }));
});

Deno.test("image: progress lines among others", () => {
  assert.deepEqual(parseReport('{"percent":5,"what":"x"}'), { percent: 5, what: "x" });
  assert.equal(parseReport("error: no"), undefined);
  assert.equal(parseReport("{ not json"), undefined);
});

class Output {
  text = "";
  columns = 60;
  constructor(readonly isTTY: boolean) {}
  write(chunk: string): void {
    this.text += chunk;
  }
}

Deno.test("progress: plain lines on a pipe, one line drawn over on a terminal", () => {
  const pipe = new Output(false);
  const step = createProgress(pipe).step("packages (1/2)");
  step.update(1, "reading");
  step.update(2, "reading");
  step.update(50, "writing");
  step.end();
  assert.match(
    pipe.text,
    /^packages \(1\/2\): reading\npackages \(1\/2\): writing\npackages \(1\/2\): done in [\d.]+ s\n$/,
  );
  const idle = new Output(false);
  createProgress(idle).step("nothing to do").end();
  assert.equal(idle.text, "");

  const terminal = new Output(true);
  const bar = createProgress(terminal).step("packages");
  bar.update(50, "a long description ".repeat(10));
  assert.match(terminal.text, /█{12}░{12} packages: a long/);
  assert(terminal.text.length < terminal.columns, "a line never wraps");
  bar.end();
});

Deno.test("a program that fails says how, with its first and last lines", async () => {
  const script = "for i in $(seq 1 100); do echo line $i; done; exit 3";
  const run = runProgram("sh", ["-c", script], { timeoutMs: 10_000, what: "the script" });
  await assert.rejects(run, (error: Error) => {
    assert.match(error.message, /^the script failed with code 3\n {2}line 1\n/);
    assert.match(error.message, /…\n[\s\S]* {2}line 100$/);
    return true;
  });
  const late = runProgram("sleep", ["60"], { timeoutMs: 200 });
  await assert.rejects(late, /sleep took longer than 0.2 s/);
  const missing = runProgram("/nowhere/at/all", [], { timeoutMs: 1_000 });
  await assert.rejects(missing, /cannot be started/);
});

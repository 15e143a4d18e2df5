// Every method of our client library, in syntax that Node 20 knows too. Prints one line for each step.
import assert from "node:assert/strict";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Buffer } from "node:buffer";
import { inspect } from "node:util";
import {
  Client,
  ConnectionClosedError,
  errors,
  FsFile,
  KillController,
  Sandbox,
  SandboxCommandError,
  SeekMode,
} from "@paddock/sandbox";

const bytes = (text) => new TextEncoder().encode(text);
const text = (data) => new TextDecoder().decode(data);
const collect = async (items) => {
  const all = [];
  for await (const item of items) all.push(item);
  return all;
};

const steps = {
  async fs(sandbox) {
    const { fs } = sandbox;
    await fs.mkdir("d/e", { recursive: true });
    await assert.rejects(fs.mkdir("d"), { name: "AlreadyExists", code: "EEXIST" });
    await fs.writeTextFile("d/a.txt", "hällo\ufeff");
    assert.equal(await fs.readTextFile("d/a.txt"), "hällo\ufeff");
    await fs.writeTextFile("d/a.txt", "more", { append: true });
    assert.equal((await fs.readTextFile("d/a.txt")).endsWith("more"), true);
    await fs.writeTextFile("d/bom.txt", "\ufeffx");
    assert.equal(await fs.readTextFile("d/bom.txt"), "\ufeffx");
    await assert.rejects(fs.writeTextFile("d/a.txt", "", { createNew: true }), { code: "EEXIST" });
    await assert.rejects(fs.writeTextFile("d/none", "", { create: false }), errors.NotFound);
    await assert.rejects(fs.readTextFile("d/none"), errors.NotFound);
    await assert.rejects(fs.readFile("d"), { name: "IsADirectory" });
    for (const size of [0, 1, 32 * 1024, 32 * 1024 + 1, 3_000_000]) {
      const data = new Uint8Array(size).map((_, at) => at * 31 + (at >> 8));
      await fs.writeFile("d/b.bin", data);
      assert.deepEqual(Buffer.compare(await fs.readFile("d/b.bin"), data), 0, `${size} bytes`);
    }
    const parts = ["a".repeat(100_000), "ü", "", "z".repeat(5)];
    await fs.writeTextFile(
      "d/stream.txt",
      new ReadableStream({
        pull(controller) {
          const part = parts.shift();
          if (part === undefined) controller.close();
          else controller.enqueue(part);
        },
      }),
    );
    assert.equal((await fs.readTextFile("d/stream.txt")).length, 100_006);
    const failing = new ReadableStream({
      pull(controller) {
        controller.error(new RangeError("source broke"));
      },
    });
    await assert.rejects(fs.writeFile("d/x", failing), /source broke/);
    assert.deepEqual(
      (await collect(fs.readDir("d"))).map(({ name, isDirectory }) => [name, isDirectory]).sort(),
      [["a.txt", false], ["b.bin", false], ["bom.txt", false], ["e", true], ["stream.txt", false]]
        .concat(await exists(fs, "d/x") ? [["x", false]] : []).sort(),
    );
    await fs.remove("d/x").catch(() => {});
    await fs.copyFile("d/a.txt", "d/copy.txt");
    await fs.rename("d/copy.txt", "d/moved.txt");
    await fs.link("d/moved.txt", "d/hard.txt");
    assert.equal((await fs.stat("d/hard.txt")).nlink, 2);
    await fs.symlink("a.txt", "d/soft");
    assert.equal(await fs.readLink("d/soft"), "a.txt");
    assert.equal((await fs.lstat("d/soft")).isSymlink, true);
    assert.equal((await fs.stat("d/soft")).isFile, true);
    assert.equal(await fs.realPath("d/soft"), "/home/sandbox/d/a.txt");
    await fs.chmod("d/a.txt", 0o640);
    assert.equal((await fs.stat("d/a.txt")).mode & 0o777, 0o640);
    await fs.chown("d/a.txt", 1000, null);
    await assert.rejects(fs.chown("d/a.txt", 0, 0), { name: "PermissionDenied" });
    await fs.truncate("d/a.txt", 2);
    assert.equal((await fs.stat("d/a.txt")).size, 2);
    await fs.utime("d/a.txt", 1_000_000, new Date(2_000_000));
    const info = await fs.stat("d/a.txt");
    assert.equal(info.mtime.getTime(), 2_000_000);
    assert.equal(info.atime.getTime(), 1_000_000);
    const mask = await fs.umask(0o077);
    await fs.writeTextFile("d/masked", "");
    assert.equal((await fs.stat("d/masked")).mode & 0o777, 0o600);
    await fs.umask(mask);
    const dir = await fs.makeTempDir({ prefix: "pre", suffix: "suf" });
    assert.match(dir, /\/pre.*suf$/);
    const file = await fs.makeTempFile({ dir });
    assert.equal(file.startsWith(dir), true);
    await fs.remove(dir, { recursive: true });
    await assert.rejects(fs.remove("d"), { name: "Error" }).catch(() =>
      assert.rejects(fs.remove("d"), /not empty/i)
    );
    const walked = await collect(fs.walk("d", { exts: [".txt"], skip: [/moved/] }));
    assert.deepEqual(walked.map(({ name }) => name).sort(), [
      "a.txt",
      "bom.txt",
      "hard.txt",
      "stream.txt",
    ]);
    const globbed = await collect(fs.expandGlob("d/*.txt", { exclude: ["d/hard.txt"] }));
    assert.equal(globbed.length, 4);
    assert.equal(globbed.every(({ path }) => path.startsWith("/home/sandbox/d/")), true);
    const aborted = AbortSignal.abort(new Error("no"));
    await assert.rejects(fs.readFile("d/a.txt", { signal: aborted }), /^Error: no$/);
    // The same, directly on the sandbox.
    await sandbox.mkdir("flat");
    await sandbox.writeTextFile("flat/a", "1");
    assert.equal(await sandbox.readTextFile("flat/a"), "1");
    assert.equal((await collect(sandbox.readDir("flat"))).length, 1);
    await sandbox.remove("flat", { recursive: true });
  },

  async files(sandbox) {
    const file = await sandbox.fs.open("f", { read: true, write: true, create: true });
    assert.equal(file instanceof FsFile, true);
    assert.equal(await file.write(bytes("hello world")), 11);
    assert.equal(await file.seek(0, SeekMode.Start), 0);
    const buffer = new Uint8Array(5);
    assert.equal(await file.read(buffer), 5);
    assert.equal(text(buffer), "hello");
    assert.equal(await file.seek(1n, SeekMode.Current), 6);
    assert.equal(await file.read(new Uint8Array(100)), 5);
    assert.equal(await file.read(new Uint8Array(1)), null);
    assert.equal(await file.seek(-5, SeekMode.End), 6);
    await file.truncate(3);
    assert.equal((await file.stat()).size, 3);
    await file.utime(0, new Date(5000));
    assert.equal((await file.stat()).mtime.getTime(), 5000);
    await file.sync();
    await file.syncData();
    await file.lock(true);
    await file.unlock();
    await file.close();
    await file.close();
    await assert.rejects(file.read(buffer), /closed/);
    const created = await sandbox.fs.create("g");
    const writer = created.writable.getWriter();
    await writer.write(new Uint8Array(600_000).fill(65));
    await writer.close();
    const opened = await sandbox.open("g");
    let size = 0;
    const reader = opened.readable.getReader();
    for (let at = await reader.read(); !at.done; at = await reader.read()) size += at.value.length;
    assert.equal(size, 600_000);
  },

  async transfer(sandbox) {
    const local = await mkdtemp(join(tmpdir(), "paddock-sdk-"));
    try {
      const source = join(local, "source");
      await mkdir(join(source, "sub", "empty"), { recursive: true });
      await writeFile(join(source, "a.txt"), "one");
      await writeFile(join(source, "sub", "run.sh"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
      await writeFile(join(source, "big"), new Uint8Array(2_500_000).fill(66));
      for (let at = 0; at < 40; at++) await writeFile(join(source, "sub", `n${at}`), `${at}`);
      await symlink("../a.txt", join(source, "sub", "link"));
      await chmod(join(source, "sub"), 0o555);
      let progress;
      await sandbox.fs.upload(source, "target", { onProgress: (at) => progress = at });
      assert.equal(progress.entries, 47);
      assert.equal(await sandbox.sh`target/sub/run.sh`.text(), "ran\n");
      assert.equal(await sandbox.sh`cat target/sub/link; stat -c %a target/sub`.text(), "one555\n");
      // Like `cp -r`: into a directory that exists.
      await sandbox.upload(join(source, "a.txt"), "target");
      await sandbox.upload(source, ".");
      assert.equal(await sandbox.readTextFile("source/a.txt"), "one");
      const back = join(local, "back");
      await sandbox.fs.download("target", back);
      assert.equal(await readlink(join(back, "sub", "link")), "../a.txt");
      assert.equal((await stat(join(back, "sub", "run.sh"))).mode & 0o777, 0o755);
      assert.equal((await stat(join(back, "sub"))).mode & 0o777, 0o555);
      assert.equal((await readFile(join(back, "big"))).length, 2_500_000);
      assert.equal((await lstat(join(back, "sub", "empty"))).isDirectory(), true);
      await sandbox.download("target/a.txt", join(local, "b.txt"));
      assert.equal(await readFile(join(local, "b.txt"), "utf8"), "one");
      await sandbox.sh`mkdir evil && ln -s /etc/passwd evil/l`;
      await assert.rejects(sandbox.download("evil", join(local, "evil")), {
        name: "UnsafePathError",
      });
      await assert.rejects(sandbox.upload(join(local, "missing"), "x"), { code: "ENOENT" });
      await assert.rejects(sandbox.download("missing", join(local, "x")), errors.NotFound);
    } finally {
      await chmod(join(local, "source", "sub"), 0o755).catch(() => {});
      await chmod(join(local, "back", "sub"), 0o755).catch(() => {});
      await rm(local, { recursive: true, force: true });
    }
  },

  async processes(sandbox) {
    const child = await sandbox.spawn("sh", {
      args: ["-c", 'cat; echo "$A$HOME" >&2; pwd >&2; exit 4'],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { A: "a" },
      cwd: "/tmp",
    });
    assert.equal(child.pid > 0, true);
    const writer = child.stdin.getWriter();
    await writer.write(bytes("through"));
    await writer.close();
    const output = await child.output();
    assert.equal(output.stdoutText, "through");
    assert.equal(output.stderrText, "a/home/sandbox\n/tmp\n");
    assert.deepEqual(output.status, { success: false, code: 4, signal: null, oom: false });
    assert.match(inspect(output), /stdoutText: 'through'|stdoutText: "through"/);
    const quiet = await sandbox.spawn("true", { stdout: "null", stderr: "null" });
    assert.equal(quiet.stdin, null);
    assert.equal(quiet.stdout, null);
    assert.equal((await quiet.status).success, true);
    await assert.rejects(sandbox.spawn("no-such-program"), errors.NotFound);
    const bare = await sandbox.spawn("/usr/bin/env", {
      clearEnv: true,
      env: { ONLY: "1" },
      stdout: "piped",
    });
    assert.match((await bare.output()).stdoutText, /^ONLY=1$/m);
    const sleeper = await sandbox.spawn("sleep", { args: ["60"] });
    await sleeper.kill("SIGKILL");
    assert.equal((await sleeper.status).signal, "SIGKILL");
    await sleeper.kill();
    const controller = new AbortController();
    const ending = await sandbox.spawn("sleep", { args: ["60"], signal: controller.signal });
    controller.abort();
    assert.equal((await ending.status).signal, "SIGTERM");
    const disposed = await sandbox.spawn("sleep", { args: ["60"] });
    await disposed[Symbol.asyncDispose]();
    // Nobody reads: the process is held back. Who stops reading ends it.
    const endless = await sandbox.spawn("yes", { stdout: "piped" });
    const reader = endless.stdout.getReader();
    await reader.read();
    await reader.cancel();
    await endless.kill();
    assert.equal((await endless.status).success, false);
  },

  async shell(sandbox) {
    const nasty = ["it's", "$(id)", "", "a b"];
    assert.equal(await sandbox.sh`printf '[%s]' ${nasty}`.text(), "[it's][$(id)][][a b]");
    assert.deepEqual(await sandbox.sh`echo '{"a":[1]}'`.json(), { a: [1] });
    await assert.rejects(sandbox.sh`echo nope`.json(), /not JSON/);
    const failed = await sandbox.sh`echo why >&2; exit 9`.stderr("piped").then(
      () => undefined,
      (error) => error,
    );
    assert.equal(failed instanceof SandboxCommandError, true);
    assert.equal(failed.code, 9);
    assert.match(failed.message, /exit code 9[^]*why/);
    const result = await sandbox.sh`exit 5`.noThrow();
    assert.equal(result.status.code, 5);
    assert.equal(result.stdoutText, null);
    const called = await sandbox.sh("echo $X; pwd", { env: { X: "1" }, cwd: "/tmp" });
    assert.equal(called.stdoutText, "1\n/tmp\n");
    assert.equal(
      await sandbox.sh`echo $A$B; pwd`.env("A", "1").env({ B: "2" }).cwd("/").text(),
      "12\n/\n",
    );
    assert.equal(await sandbox.sh`id -u; echo $V`.sudo().env("V", "kept").text(), "0\nkept\n");
    assert.equal(await sandbox.sh("id -u | cat", { sudo: true }).text(), "0\n");
    const kill = new KillController();
    const running = sandbox.sh`sleep 60`.signal(kill.signal).noThrow().result();
    setTimeout(() => kill.kill("SIGINT"), 300);
    assert.equal((await running).status.code, 130);
    assert.equal((await sandbox.sh`sleep 60`.signal(kill.signal).noThrow()).status.code, 130);
    const late = await sandbox.sh`sleep 60`.signal(AbortSignal.timeout(300)).noThrow();
    assert.equal(late.status.code, 143);
    const child = await sandbox.sh`echo spawned`.stdout("piped").spawn();
    assert.equal((await child.output()).stdoutText, "spawned\n");
  },

  async deno(sandbox) {
    assert.equal(await sandbox.eval("const x: number = 20; await Promise.resolve(x + 1)"), 21);
    const rich = await sandbox.deno.eval(
      "const m = new Map([[1, { d: new Date(5), b: 10n, u: undefined }]]); m.set('self', m); m",
    );
    assert.equal(rich.get(1).d.getTime(), 5);
    assert.equal(rich.get(1).b, 10n);
    assert.equal(rich.get("self"), rich);
    await assert.rejects(sandbox.eval("null.x"), TypeError);
    const thrown = await sandbox.eval(
      "throw new AggregateError([new RangeError('r')], 'all', { cause: new Error('why') })",
    ).catch((error) => error);
    assert.equal(thrown instanceof AggregateError, true);
    assert.equal(thrown.errors[0] instanceof RangeError, true);
    assert.equal(thrown.cause.message, "why");
    await assert.rejects(sandbox.eval("const ="), SyntaxError);
    const repl = await sandbox.repl();
    await repl.eval("let n = 1; function add(a, b) { return a + b + n; }");
    await repl.eval("n++");
    assert.equal(await repl.call("add", 1, 2), 5);
    assert.deepEqual(await repl.call("(m) => [...m]", new Set([1, 2])), [1, 2]);
    await repl.close();
    await repl.close();
    await assert.rejects(repl.eval("1"));
    await repl[Symbol.asyncDispose]();
    const ran = await sandbox.deno.run({
      code: "console.log(Deno.args.join(), (await new Response(Deno.stdin.readable).text()))",
      scriptArgs: ["a", "b"],
      stdin: "piped",
      stdout: "piped",
    });
    const writer = ran.stdin.getWriter();
    await writer.write(bytes("in"));
    await writer.close();
    assert.equal((await ran.output()).stdoutText, "a,b in\n");
    const server = await sandbox.createJsRuntime({
      code: "Deno.serve(async (r) => new Response(r.method + new URL(r.url).pathname + " +
        "await r.text(), { status: 201, headers: { x: 'y' } }))",
      extension: "ts",
      stdout: "null",
      stderr: "null",
    });
    assert.equal(await server.httpReady, true);
    const response = await server.fetch("https://any.host/path", { method: "POST", body: "body" });
    assert.equal(response.status, 201);
    assert.equal(response.headers.get("x"), "y");
    assert.equal(await response.text(), "POST/pathbody");
    await server.kill();
    assert.equal((await server.status).success, false);
    const short = await sandbox.deno.run({ code: "1", stdout: "null" });
    assert.equal(await short.httpReady, false);
    await sandbox.writeTextFile("w.ts", "console.log('first'); setInterval(() => {}, 1e6);");
    const watched = await sandbox.deno.run({
      entrypoint: "w.ts",
      watch: true,
      stdout: "piped",
      stderr: "null",
    });
    const reader = watched.stdout.getReader();
    assert.match(text((await reader.read()).value), /first/);
    const restarted = new Promise((resolve) =>
      watched.addEventListener("restart", resolve, { once: true })
    );
    await sandbox.writeTextFile("w.ts", "console.log('second'); setInterval(() => {}, 1e6);");
    await restarted;
    await watched.kill();
    await reader.cancel();
  },

  async env(sandbox) {
    await sandbox.env.set("MINE", "1");
    assert.equal(await sandbox.env.get("MINE"), "1");
    assert.equal(await sandbox.env.get("GIVEN"), "at create");
    assert.equal((await sandbox.env.toObject()).MINE, "1");
    assert.equal(await sandbox.sh`echo $MINE $GIVEN`.text(), "1 at create\n");
    await sandbox.env.delete("MINE");
    assert.equal(await sandbox.env.get("MINE"), undefined);
  },

  async fetch(sandbox) {
    const server = await sandbox.deno.run({
      code: "Deno.serve({ port: 8123 }, (r) => r.url.endsWith('/hang') ? new Promise(() => {}) " +
        ": r.url.endsWith('/go') ? Response.redirect('http://localhost:8123/') " +
        ": r.body ? new Response(r.body) : new Response('got'))",
      stdout: "null",
      stderr: "null",
    });
    await server.httpReady;
    assert.equal(await (await sandbox.fetch("http://localhost:8123/")).text(), "got");
    assert.equal(await (await sandbox.fetch("http://localhost:8123/go")).text(), "got");
    const manual = await sandbox.fetch("http://localhost:8123/go", { redirect: "manual" });
    assert.equal(manual.status, 302);
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (sent++ === 20) controller.close();
        else controller.enqueue(new Uint8Array(100_000).fill(sent));
      },
    });
    const echoed = await sandbox.fetch("http://localhost:8123/", { method: "POST", body });
    assert.equal((await echoed.arrayBuffer()).byteLength, 2_000_000);
    await assert.rejects(
      sandbox.fetch("http://localhost:8123/hang", { signal: AbortSignal.timeout(300) }),
      { name: "TimeoutError" },
    );
    await assert.rejects(sandbox.fetch("http://localhost:1/"), TypeError);
    await server.kill();
  },

  async life(sandbox) {
    assert.match(inspect(sandbox), /^Sandbox .*sbx_/s);
    const second = await Sandbox.connect(sandbox.id);
    assert.equal(second.id, sandbox.id);
    await sandbox.writeTextFile("shared", "x");
    assert.equal(await second.readTextFile("shared"), "x");
    await second.close();
    await second.closed;
    await assert.rejects(second.env.get("A"), ConnectionClosedError);
    await assert.rejects(Sandbox.connect("sbx_ams_00000000000000000000"), { status: 404 });
    await assert.rejects(Sandbox.connect("nonsense"), TypeError);
    const listed = await new Client().sandboxes.list({ labels: { test: "sdk" } });
    assert.equal(
      listed.some(({ id, createdAt }) => id === sandbox.id && createdAt < new Date()),
      true,
    );
    const stopAt = await sandbox.extendTimeout("10m");
    assert.equal(stopAt - Date.now() > 590_000, true);
    await assert.rejects(sandbox.extendTimeout("31m"), { name: "ApiError", status: 400 });
    await assert.rejects(Sandbox.create({ memory: "100GiB" }), { status: 400, field: "memory_mb" });
    await assert.rejects(Sandbox.create({ token: "ddo_wrong" }), { name: "InvalidTokenError" });
    await assert.rejects(Sandbox.create({ region: "xyz" }), { field: "region" });
  },
};

async function exists(fs, path) {
  return await fs.stat(path).then(() => true, () => false);
}

const only = process.argv.slice(2);
const sandbox = await Sandbox.create({
  timeout: "5m",
  memory: "1GiB",
  labels: { test: "sdk", "ü": "ö🦕" },
  env: { GIVEN: "at create" },
});
let failures = 0;
for (const [name, step] of Object.entries(steps)) {
  if (only.length > 0 && !only.includes(name)) continue;
  try {
    await step(sandbox);
    console.log(`ok ${name}`);
  } catch (error) {
    failures++;
    console.log(`not ok ${name}: ${error.stack}`);
  }
}
await sandbox.kill();
await sandbox.closed;
process.exitCode = failures === 0 ? 0 : 1;

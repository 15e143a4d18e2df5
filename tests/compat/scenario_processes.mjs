import assert from "node:assert/strict";

/** spawn, processWait, processKill, the shell builder and the environment. */
export async function processes({ client, sandbox, fs, check, fails, isV2, generation }) {
  const { KillController, SandboxCommandError } = client;
  const piped = { stdin: "null", stdout: "piped", stderr: "piped" };
  const countOf = (pattern) => sandbox.sh`pgrep -fc ${pattern} || true`.text();
  // The clients listen to a signal once they know the process: what comes before that is lost on
  // them, and how long it takes depends on the host. The check's deadline ends the wait.
  const untilRuns = async (pattern) => {
    while (await countOf(pattern) === "0\n");
  };

  await check("spawn: arguments, output, status", async () => {
    const child = await sandbox.spawn("bash", {
      args: ["-c", 'echo "$0 $1"; echo err >&2; exit 3', "a b", "c'd"],
      ...piped,
    });
    assert.ok(child.pid > 0);
    const output = await child.output();
    assert.equal(output.stdoutText, "a b c'd\n");
    assert.equal(output.stderrText, "err\n");
    assert.equal(output.status.success, false);
    assert.equal(output.status.code, 3);
    assert.equal(output.status.signal, null);
    if (generation === "0.13.2") assert.equal(output.status.oom, false);
  });
  await check("spawn: who, where and with which environment a command runs", async () => {
    const text = await sandbox.sh`id -un; id -u; pwd; echo $HOME; echo $USER`.text();
    assert.equal(text, "sandbox\n1000\n/home/sandbox\n/home/sandbox\nsandbox\n");
  });
  await check("spawn: cwd, env, clearEnv", async () => {
    const show = async (options) => {
      const child = await sandbox.spawn("/usr/bin/env", { ...piped, ...options });
      return (await child.output()).stdoutText;
    };
    assert.match(await show({ env: { MINE: "1" } }), /^MINE=1$/m);
    assert.match(await show({ env: { MINE: "1" } }), /^HOME=\/home\/sandbox$/m);
    assert.equal(await show({ env: { MINE: "1" }, clearEnv: true }), "MINE=1\n");
    const child = await sandbox.spawn("pwd", { ...piped, cwd: "/usr" });
    assert.equal((await child.output()).stdoutText, "/usr\n");
  });
  await check("spawn: errors", async () => {
    await fails(sandbox.spawn("no-such-command", piped), "NotFound", "ENOENT");
    await fs.writeTextFile("noexec", "x", { mode: 0o644 });
    await fails(sandbox.spawn("/home/sandbox/noexec", piped), "PermissionDenied", "EACCES");
    await assert.rejects(sandbox.spawn("pwd", { ...piped, cwd: "/gone" }), Error);
  });
  await check("spawn: stdin", async () => {
    const child = await sandbox.spawn("cat", { ...piped, stdin: "piped" });
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("through "));
    await writer.write(new TextEncoder().encode("cat"));
    await writer.close();
    assert.equal((await child.output()).stdoutText, "through cat");
    const empty = await sandbox.spawn("cat", piped);
    assert.equal((await empty.output()).stdoutText, "");
  });
  await check("spawn: 4 MB through a process and back", async () => {
    const child = await sandbox.spawn("cat", { ...piped, stdin: "piped" });
    const chunk = new Uint8Array(64 * 1024).map((_, i) => i % 251);
    const write = async () => {
      const writer = child.stdin.getWriter();
      for (let i = 0; i < 64; i++) {
        await writer.ready;
        await writer.write(chunk);
      }
      await writer.close();
    };
    const [output] = await Promise.all([child.output(), write()]);
    assert.equal(output.stdout.length, 4 * 1024 * 1024);
    assert.ok(output.stdout.every((byte, i) => byte === (i % 65536) % 251));
  });
  await check("spawn: stdout and stderr to nowhere", async () => {
    const child = await sandbox.spawn("bash", {
      args: ["-c", "echo x; echo y >&2"],
      ...{ stdin: "null", stdout: "null", stderr: "null" },
    });
    assert.equal((await child.status).success, true);
    assert.equal(child.stdout, null);
  });
  await check("spawn: a reader that leaves early ends the writer", async () => {
    const child = await sandbox.spawn("bash", { args: ["-c", "yes"], ...piped });
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel(new Error("seen enough"));
    const status = await child.status;
    assert.equal(status.success, false);
  });
  await check("kill: SIGTERM by default, any signal by name", async () => {
    const child = await sandbox.spawn("sleep", { args: ["100"], ...piped });
    await child.kill();
    const status = await child.status;
    assert.deepEqual([status.success, status.signal, status.code], [false, "SIGTERM", 143]);
    await child.kill();
    const other = await sandbox.spawn("sleep", { args: ["100"], ...piped });
    await other.kill("SIGKILL");
    assert.equal((await other.status).signal, "SIGKILL");
    const hup = await sandbox.spawn("bash", {
      args: ["-c", "trap 'exit 7' HUP; echo ready; while :; do sleep 0.05; done"],
      ...piped,
    });
    const reader = hup.stdout.getReader();
    await reader.read();
    await hup.kill("SIGHUP");
    assert.equal((await hup.status).code, 7);
    await assert.rejects(other.kill("SIGNONSENSE"), Error);
  });
  await check("kill: with its children", async () => {
    const child = await sandbox.spawn("bash", {
      args: ["-c", "sleep 4242 & sleep 4242 & echo started; wait"],
      ...piped,
    });
    const reader = child.stdout.getReader();
    await reader.read();
    await child.kill("SIGKILL");
    await child.status;
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(await countOf("sleep 424[2]"), "0\n");
  });
  await check("spawn: an AbortSignal kills", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const child = await sandbox.spawn("sleep", { args: ["100"], ...piped, signal });
    controller.abort();
    assert.equal((await child.status).signal, "SIGTERM");
  });
  await check("sh: result, text, json, noThrow, errors", async () => {
    // One option at a time: in the published clients each builder call forgets those before it.
    const result = await sandbox.sh`echo ${"it's $HOME"}`.stdout("piped");
    assert.equal(result.stdoutText, "it's $HOME\n");
    assert.equal((await sandbox.sh`echo e >&2`.stderr("piped")).stderrText, "e\n");
    assert.deepEqual(await sandbox.sh`echo '[1,{"a":null}]'`.json(), [1, { a: null }]);
    assert.equal((await sandbox.sh`exit 5`.noThrow()).status.code, 5);
    await assert.rejects(
      sandbox.sh`echo why >&2; exit 6`.stderr("piped").result(),
      (error) => {
        assert.ok(error instanceof SandboxCommandError);
        assert.equal(error.code, 6);
        assert.match(error.message, /why/);
        return true;
      },
    );
    assert.equal(await sandbox.sh`printf '%s|' ${["a b", 1, true]}`.text(), "a b|1|true|");
  });
  if (!isV2) {
    await check("sh: cwd and env", async () => {
      await sandbox.sh`pwd > /tmp/cwd-seen`.cwd("/usr");
      await sandbox.sh`echo $X > /tmp/env-seen`.env("X", "y");
      assert.equal(await sandbox.sh`cat /tmp/cwd-seen /tmp/env-seen`.text(), "/usr\ny\n");
    });
  }
  await check("sh: kill controller and abort signal", async () => {
    const controller = new KillController();
    const code = (number) => (error) =>
      error instanceof SandboxCommandError && error.code === number;
    const killed = assert.rejects(
      sandbox.sh`sleep 50`.signal(controller.signal).result(),
      code(137),
    );
    await untilRuns("sleep 5[0]");
    controller.kill("SIGKILL");
    await killed;
    const abort = new AbortController();
    const aborted = assert.rejects(sandbox.sh`sleep 51`.signal(abort.signal).result(), code(143));
    await untilRuns("sleep 5[1]");
    abort.abort();
    await aborted;
  });
  await check("sh: sudo is root", async () => {
    await sandbox.sh`bash -c 'id -u > /etc/made-by-root'`.sudo();
    assert.equal(await fs.readTextFile("/etc/made-by-root"), "0\n");
    await assert.rejects(sandbox.sh`bash -c 'exit 9'`.sudo().result(), { code: 9 });
    assert.equal(await sandbox.sh`echo in | sudo cat`.text(), "in\n");
  });
  await check("env: set, get, toObject, delete; commands see it", async () => {
    await sandbox.env.set("COLOUR", "grün");
    assert.equal(await sandbox.env.get("COLOUR"), "grün");
    assert.equal((await sandbox.env.toObject()).COLOUR, "grün");
    assert.equal(await sandbox.sh`echo $COLOUR`.text(), "grün\n");
    await sandbox.env.delete("COLOUR");
    assert.equal(await sandbox.env.get("COLOUR"), undefined);
    assert.equal(await sandbox.sh`echo "[$COLOUR]"`.text(), "[]\n");
    await assert.rejects(sandbox.env.set("A=B", "x"), Error);
    await assert.rejects(sandbox.env.set("", "x"), Error);
  });
  await check("what is the agent's own is not in a command's environment", async () => {
    const names = Object.keys(await sandbox.env.toObject()).join(" ");
    assert.doesNotMatch(names, /PADDOCK_AGENT|TOKEN/);
    assert.doesNotMatch(await sandbox.sh`env`.text(), /PADDOCK_AGENT|TOKEN/);
  });
}

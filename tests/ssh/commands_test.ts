import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { guestShell } from "../../packages/engine/testing/guest_shell.ts";
import { randomStream, run, startSshBench, until } from "./ssh_bench.ts";

const MiB = 1024 * 1024;

Deno.test("commands over SSH", async (t) => {
  await using bench = await startSshBench();
  const { ssh, sandbox, user, port, sshOptions, directory } = bench;

  await t.step(
    "a command runs as the user, in its home, with output and errors apart",
    async () => {
      const { code, stdout, stderr } = await ssh("whoami; pwd; echo oops >&2; tty; exit 7");
      assert.deepEqual({ code, stdout, stderr }, {
        code: 7,
        stdout: "sandbox\n/home/sandbox\nnot a tty\n",
        stderr: "oops\n",
      });
      assert.equal((await ssh("true")).code, 0);
      assert.equal((await ssh("no-such-command")).code, 127);
    },
  );

  await t.step("a signal that ended a command is reported", async () => {
    // What `ssh` answers for every signal; its log says which it was.
    const { code, stderr } = await ssh("kill -TERM $$", {
      options: ["-v", "-o", "LogLevel=DEBUG"],
    });
    assert.equal(code, 255);
    assert.match(stderr, /rtype exit-signal/);
  });

  await t.step("standard input, 50 MB of it, arrives whole and ends", async () => {
    const { stream, digest } = randomStream(50 * MiB);
    const { code, stdout } = await ssh("wc -c; cat", { stdin: "abc" });
    assert.deepEqual([code, stdout], [0, "3\n"]);
    const answer = await ssh("sha256sum", { stdin: stream });
    assert.deepEqual([answer.code, answer.stdout], [0, `${digest()}  -\n`]);
  });

  await t.step("what goes in comes out, with exchanges of keys in between", async () => {
    const { stream, digest } = randomStream(20 * MiB);
    const { bytes } = await ssh("cat", { stdin: stream, options: ["-o", "RekeyLimit=1M"] });
    assert.equal(bytes.length, 20 * MiB);
    assert.equal(createHash("sha256").update(bytes).digest("hex"), digest());
  });

  await t.step("much output and many errors at once do not mix", async () => {
    const { code, stdout, stderr } = await ssh(
      "(seq 1 400000) & (seq 1000001 1400000 >&2) & wait; exit 3",
    );
    assert.equal(code, 3);
    const numbers = (from: number) =>
      Array.from({ length: 400_000 }, (_, i) => `${from + i}\n`).join("");
    assert.ok(stdout === numbers(1));
    assert.ok(stderr === numbers(1_000_001));
  });

  await t.step("every cipher and exchange of keys that is offered", async () => {
    for (
      const cipher of [
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
        "aes256-ctr",
      ]
    ) {
      const { stdout } = await ssh("echo ok", { options: ["-c", cipher] });
      assert.equal(stdout, "ok\n", cipher);
    }
    for (const kex of ["curve25519-sha256", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384"]) {
      const { stdout } = await ssh("echo ok", { options: ["-o", `KexAlgorithms=${kex}`, "-C"] });
      assert.equal(stdout, "ok\n", kex);
    }
  });

  await t.step("variables: those of sshd's usual list, and no others", async () => {
    const { stdout } = await ssh("echo $LC_PADDOCK $FORBIDDEN; echo $SSH_CONNECTION", {
      options: ["-o", "SetEnv=LC_PADDOCK=yes FORBIDDEN=no"],
    });
    assert.match(stdout, new RegExp(`^yes\n127\\.0\\.0\\.1 \\d+ 127\\.0\\.0\\.1 ${port}\n$`));
  });

  await t.step("a login shell reads commands from standard input", async () => {
    const { code, stdout } = await ssh("", {
      stdin: "shopt -q login_shell && echo login\nexit 4\n",
    });
    assert.deepEqual([code, stdout], [4, "login\n"]);
  });

  await t.step("several sessions on one connection", async () => {
    const control = [...sshOptions, "-p", String(port), "-o", `ControlPath=${directory}/control`];
    const target = `${user}@127.0.0.1`;
    const master = run("ssh", [...control, "-M", "-N", target]);
    await until(async () => (await run("ssh", [...control, "-O", "check", target])).code === 0);
    const sessions = Array.from(
      { length: 8 },
      (_, i) => run("ssh", [...control, target, `sleep 0.3; echo $PPID; exit ${i}`]),
    );
    assert.deepEqual((await Promise.all(sessions)).map(({ code }) => code), [
      0,
      1,
      2,
      3,
      4,
      5,
      6,
      7,
    ]);
    // One more than a connection may have: refused, and the others live on.
    const many = Array.from(
      { length: 11 },
      () => run("ssh", [...control, "-o", "ControlMaster=no", target, "sleep 2; echo ok"]),
    );
    const outputs = (await Promise.all(many)).map(({ stdout }) => stdout);
    assert.ok(outputs.filter((output) => output === "ok\n").length >= 10);
    await run("ssh", [...control, "-O", "exit", target]);
    await master;
  });

  await t.step("a visitor who leaves takes along what runs", async () => {
    for (const options of [[], ["-tt"]]) {
      const aborter = new AbortController();
      const left = ssh("sleep 3217 & sleep 3217", { options, signal: aborter.signal });
      await until(async () => (await guestShell(sandbox, "pgrep -c sleep")).trim() === "2");
      aborter.abort();
      await left.catch(() => {});
      await until(async () => (await guestShell(sandbox, "pgrep -c sleep")).trim() === "0");
    }
    // Neither does a command stay that does not mind being hung up on.
    const aborter = new AbortController();
    const left = ssh("trap '' HUP TERM; echo $$ > stubborn; while :; do sleep 0.2; done", {
      signal: aborter.signal,
    });
    const stays = async () =>
      (await guestShell(sandbox, "kill -0 $(cat stubborn) && echo yes")) === "yes\n";
    await until(stays);
    aborter.abort();
    await left.catch(() => {});
    await until(async () => !await stays());
    assert.equal((await guestShell(sandbox, "pgrep -c -x sleep")).trim(), "0");
    // What was put in the background on purpose stays, as it does with sshd.
    await ssh("nohup sleep 3218 >/dev/null 2>&1 </dev/null & disown");
    assert.equal((await guestShell(sandbox, "pgrep -c -x sleep; pkill sleep")).trim(), "1");
  });

  await t.step("a reader that stops early ends the writer", async () => {
    const script = `ssh ${
      sshOptions.join(" ")
    } -p ${port} ${user}@127.0.0.1 yes | head -c 100000 | wc -c`;
    const { stdout } = await run("sh", ["-c", script]);
    assert.equal(stdout.trim(), "100000");
    await until(async () => (await guestShell(sandbox, "pgrep -c yes")).trim() === "0");
  });

  await t.step(
    "a command that does not read its input holds the sender, not the memory",
    async () => {
      const before = Deno.memoryUsage().rss;
      const { stream, taken } = randomStream(200 * MiB);
      const { code } = await ssh("sleep 3; exit 5", { stdin: stream });
      assert.equal(code, 5);
      assert.ok(taken() < 40 * MiB, `${taken()} bytes were taken`);
      assert.ok(Deno.memoryUsage().rss - before < 100 * MiB);
    },
  );

  assert.deepEqual(bench.logged, []);
});

import assert from "node:assert/strict";
import { run, startSshBench, until } from "./ssh_bench.ts";

Deno.test("who may come in over SSH", async (t) => {
  await using bench = await startSshBench({ sshAuthFailuresPerMinute: 12 });
  const { ssh, user, port, sshOptions, directory, hostKey } = bench;
  const key = `${directory}/key`;
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);

  await t.step("a key or a password that is offered does not matter", async () => {
    assert.equal((await ssh("echo in", { options: ["-i", key] })).stdout, "in\n");
    const { stdout, stderr } = await ssh("echo in", {
      options: ["-i", key, "-v", "-o", "LogLevel=DEBUG"],
    });
    assert.equal(stdout, "in\n");
    assert.match(stderr, /Authenticated to 127\.0\.0\.1 .* using "none"/);
  });

  await t.step("the host key is the one in the data directory", async () => {
    const { stdout } = await run("ssh-keyscan", ["-t", "ed25519", "-p", String(port), "127.0.0.1"]);
    assert.ok(stdout.includes(hostKey.publicKey), stdout);
    const { stdout: shown } = await run("sh", [
      "-c",
      `echo '${hostKey.publicKey}' | ssh-keygen -lf -`,
    ]);
    assert.ok(shown.includes(hostKey.fingerprint));
    const other = `${directory}/other_hosts`;
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", `${directory}/other`]);
    const [type, text] = (await Deno.readTextFile(`${directory}/other.pub`)).split(" ");
    await Deno.writeTextFile(other, `[127.0.0.1]:${port} ${type} ${text}\n`);
    const { code, stderr } = await run("ssh", [
      ...["-o", `UserKnownHostsFile=${other}`, ...sshOptions, "-p", String(port)],
      ...[`${user}@127.0.0.1`, "true"],
    ]);
    assert.equal(code, 255);
    assert.match(stderr, /Host key verification failed/);
  });

  await t.step(
    "a wrong name has one answer, whatever is wrong and whatever is offered",
    async () => {
      const answers = new Set<string>();
      for (const wrong of ["root", "ssh_", `${user}x`, user.toUpperCase(), "x".repeat(100)]) {
        for (const options of [[], ["-i", key]]) {
          const { code, stdout, stderr } = await ssh("echo in", { user: wrong, options });
          assert.deepEqual([code, stdout], [255, ""]);
          answers.add(stderr.replace(wrong, "NAME"));
        }
      }
      assert.deepEqual([...answers], ["NAME@127.0.0.1: Permission denied (publickey).\r\n"]);
    },
  );

  await t.step(
    "after too many of them the address is turned away, those inside are not",
    async () => {
      const inside = ssh("sleep 2; echo still", {});
      await new Promise((resolve) => setTimeout(resolve, 500));
      await ssh("true", { user: "root" });
      await ssh("true", { user: "root" });
      const { code, stderr } = await ssh("true", { options: ["-v", "-o", "LogLevel=DEBUG"] });
      assert.equal(code, 255);
      assert.match(stderr, /Too many connections, or too many wrong user names/);
      assert.doesNotMatch(stderr, /Authenticated|Permission denied/);
      assert.equal((await inside).stdout, "still\n");
    },
  );
});

Deno.test("a connection with a wrong name may try a few keys", async () => {
  await using bench = await startSshBench({ sshAuthAttempts: 3 });
  const { ssh, directory } = bench;
  const keys: string[] = [];
  for (let i = 0; i < 6; i++) {
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", `${directory}/key${i}`]);
    keys.push("-i", `${directory}/key${i}`);
  }
  const { code, stderr } = await ssh("true", {
    user: "root",
    options: [...keys, "-v", "-o", "LogLevel=DEBUG"],
  });
  assert.equal(code, 255);
  // The third is on its way when the answer to the second comes, with which the connection ends.
  assert.ok(stderr.match(/Offering public key/g)!.length <= 3, stderr);
  assert.match(stderr, /Received disconnect from/);
});

Deno.test("the end of a sandbox", async (t) => {
  await using bench = await startSshBench();
  const { ssh, create } = bench;

  await t.step("tells who is inside, and ends the connection", async () => {
    const { sandbox, user } = await create();
    const inside = [
      ssh("echo in; sleep 1000", { user }),
      ssh("sleep 1000", { user, options: ["-tt"] }),
    ];
    await until(async () => (await ssh("pgrep -c -x sleep", { user })).stdout.trim() === "2");
    const ended = sandbox.kill();
    const [command, terminal] = await Promise.all(inside);
    assert.deepEqual([command.code, command.stdout], [255, "in\n"]);
    assert.match(command.stderr, /paddock: the sandbox has ended\r\n/);
    assert.equal(terminal.code, 255);
    assert.match(terminal.stderr, /paddock: the sandbox has ended\r\n/);
    await ended;
    const late = await ssh("echo in", { user });
    assert.deepEqual([late.code, late.stdout], [255, ""]);
    assert.match(late.stderr, /paddock: the sandbox has ended/);
  });

  await t.step("is not put off by a connection", async () => {
    const { sandbox, user } = await create({ stopAt: Date.now() + 5_000 });
    const { code, stderr } = await ssh("sleep 1000", { user });
    assert.equal(code, 255);
    assert.match(stderr, /paddock: the sandbox has ended/);
    assert.equal(await sandbox.ended, "timeout");
  });
});

Deno.test("who is inside under a name that is withdrawn has to leave", async () => {
  await using bench = await startSshBench();
  const inside = bench.ssh("echo in; sleep 1000");
  await until(async () => (await bench.ssh("pgrep -c -x sleep")).stdout.trim() === "1");
  bench.withdraw(bench.user);
  const { code, stdout, stderr } = await inside;
  assert.deepEqual([code, stdout], [255, "in\n"]);
  assert.match(stderr, /paddock: this access was withdrawn/);
  assert.match((await bench.ssh("echo in")).stderr, /Permission denied/);
});

Deno.test("a sandbox has so many connections", async () => {
  await using bench = await startSshBench({ sshConnectionsPerSandbox: 2 });
  const { ssh } = bench;
  const aborter = new AbortController();
  const inside = [1, 2].map(() => ssh("echo in; sleep 60", { signal: aborter.signal }));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const { code, stderr } = await ssh("echo in");
  assert.equal(code, 255);
  assert.match(stderr, /paddock: the sandbox has 2 SSH connections, the most it may have/);
  aborter.abort();
  await Promise.allSettled(inside);
  await until(async () => (await ssh("echo in")).stdout === "in\n");
});

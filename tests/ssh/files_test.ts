import assert from "node:assert/strict";
import { guestShell } from "../../packages/engine/testing/guest_shell.ts";
import { run, startSshBench } from "./ssh_bench.ts";

const MiB = 1024 * 1024;

Deno.test("files over SSH", async (t) => {
  await using bench = await startSshBench();
  const { sandbox, user, port, sshOptions, directory } = bench;
  const guest = (path: string) => `${user}@127.0.0.1:${path}`;
  const sumOf = async (path: string) => (await run("sha256sum", [path])).stdout.split(" ")[0];
  const sumInGuest = async (path: string) =>
    (await guestShell(sandbox, `sha256sum ${path}`)).split(" ")[0];
  const scp = (...args: string[]) => run("scp", [...sshOptions, "-P", String(port), ...args]);

  const big = `${directory}/big`;
  await run("dd", ["if=/dev/urandom", `of=${big}`, "bs=1M", "count=60"]);
  await Deno.mkdir(`${directory}/tree/deep`, { recursive: true });
  await Deno.writeTextFile(`${directory}/tree/one`, "1");
  await Deno.writeTextFile(`${directory}/tree/deep/two words`, "2");
  await Deno.chmod(`${directory}/tree/one`, 0o751);

  for (const [mode, protocol] of [["-s", "sftp"], ["-O", "the old protocol"]]) {
    await t.step(`scp by ${protocol} copies there and back`, async () => {
      const there = await scp(mode, big, guest("big"));
      assert.deepEqual([there.code, there.stderr], [0, ""]);
      assert.equal(await sumInGuest("big"), await sumOf(big));
      const back = await scp(mode, guest("big"), `${big}.back`);
      assert.deepEqual([back.code, back.stderr], [0, ""]);
      assert.equal(await sumOf(`${big}.back`), await sumOf(big));
    });

    await t.step(`scp by ${protocol} copies a directory, with modes`, async () => {
      const target = `tree${mode}`;
      assert.equal((await scp(mode, "-rp", `${directory}/tree`, guest(`/tmp/${target}`))).code, 0);
      assert.equal(
        await guestShell(
          sandbox,
          `cat /tmp/${target}/one "/tmp/${target}/deep/two words"; stat -c %a /tmp/${target}/one`,
        ),
        "12751\n",
      );
    });

    await t.step(`scp by ${protocol} says what is missing`, async () => {
      const { code, stderr } = await scp(mode, guest("/nothing/here"), directory);
      assert.equal(code, 1);
      assert.match(stderr, /No such file or directory/);
    });
  }

  await t.step("an sftp batch", async () => {
    const batch = `${directory}/batch`;
    await Deno.writeTextFile(
      batch,
      [
        ...["pwd", "mkdir inbox", "cd inbox", `put ${big} stored`, "chmod 600 stored"],
        ...["ln -s stored link", "rename stored kept", "ls -l", `get kept ${directory}/fetched`],
        ...["rm link", "df -h", "bye"],
      ].join("\n"),
    );
    const { code, stdout, stderr } = await run("sftp", [
      ...[...sshOptions, "-P", String(port), "-b", batch, `${user}@127.0.0.1`],
    ]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /Remote working directory: \/home\/sandbox\n/);
    assert.match(stdout, new RegExp(`-rw------- .* ${60 * MiB} .* kept\n`));
    assert.equal(await sumOf(`${directory}/fetched`), await sumOf(big));
    assert.equal(await guestShell(sandbox, "ls inbox"), "kept\n");
  });

  await t.step("what passes by scp does not stay in the daemon", async () => {
    const huge = `${directory}/huge`;
    await run("truncate", ["-s", "300M", huge]);
    const peaks: number[] = [];
    // The first time sets how much the collector lets lie about; the second would add to a leak.
    for (let round = 0; round < 2; round++) {
      let most = 0;
      const watch = setInterval(() => most = Math.max(most, Deno.memoryUsage().rss), 20);
      try {
        assert.equal((await scp(huge, guest("huge"))).code, 0);
        assert.equal((await scp(guest("huge"), `${huge}.back`)).code, 0);
      } finally {
        clearInterval(watch);
      }
      peaks.push(most);
      assert.equal((await Deno.stat(`${huge}.back`)).size, 300 * MiB);
    }
    const grown = peaks[1] - peaks[0];
    assert.ok(grown < 100 * MiB, `it grew by ${grown / MiB} MiB, ${peaks}`);
  });

  await t.step("git clones by SSH", async () => {
    await guestShell(
      sandbox,
      "git init -q repo && cd repo && echo hello > README && git add . && " +
        "git -c user.name=t -c user.email=t@example.invalid commit -qm first",
    );
    const { code, stderr } = await run("git", [
      ...["-c", `core.sshCommand=ssh ${sshOptions.join(" ")} -p ${port}`],
      ...["clone", "-q", guest("repo"), `${directory}/clone`],
    ]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(await Deno.readTextFile(`${directory}/clone/README`), "hello\n");
  });

  await t.step("without a server of sftp in the image, it says so", async () => {
    const moved = await guestShell(
      sandbox,
      "sudo mv /usr/lib/openssh/sftp-server /usr/lib/openssh/elsewhere && echo moved",
    );
    assert.equal(moved, "moved\n");
    const { code, stderr } = await scp(big, guest("other"));
    assert.notEqual(code, 0);
    assert.match(stderr, /paddock: this sandbox's image has no \/usr\/lib\/openssh\/sftp-server/);
    assert.equal((await scp("-O", `${directory}/tree/one`, guest("other"))).code, 0);
  });

  assert.deepEqual(bench.logged, []);
});

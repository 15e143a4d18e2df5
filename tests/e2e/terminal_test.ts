import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { Sandbox } from "@paddock/sandbox";
import { repository, type RuntimeName, runtimes, runWith, startServer, until } from "../harness.ts";

Deno.test("terminals, from the library and at the command line", async (t) => {
  await using server = await startServer();
  const options = { endpoint: server.api, token: server.token };
  const program = fileURLToPath(new URL("terminal.mjs", import.meta.url));
  for (const runtime of Object.keys(runtimes) as RuntimeName[]) {
    await t.step(`the library on ${runtime}`, async () => {
      await using sandbox = await Sandbox.create({ ...options, timeout: "10m" });
      const { env } = server;
      const result = await runWith(runtime, program, [sandbox.id], { env, deadlineMs: 60_000 });
      assert.equal(result.code, 0, result.stderr);
      checkSeen(JSON.parse(result.stdout));
      await sandbox.kill();
    });
  }
  await using sandbox = await Sandbox.create({ ...options, timeout: "10m" });
  const shell = (...args: string[]) => sitInFront(["shell", ...args], server.env);

  await t.step(
    "paddock shell passes keys, size and exit code, and restores the terminal",
    async () => {
      const { shows, send, end } = shell("-e", "PS1=ready> ", sandbox.id, "--", "bash", "--norc");
      await shows(/ready> $/);
      send("stty size; tty\r");
      await shows(/30 100\r\n\/dev\/pts\/\d+\r\n.*ready> $/s);
      send({ resize: [111, 33] });
      // Whoever looks sees the new size, a moment later.
      await until("the new size", 10_000, async () => {
        send("stty size\r");
        return await shows(/\d+ \d+\r\n.*ready> $/).then((text) => text.includes("33 111"));
      });
      send("sleep 1000\r");
      await shows(/sleep 1000\r\n/);
      send("\x03");
      await shows(/ready> $/);
      // Not a line's start, so no way out; and what an editor writes is shown as it is.
      send("printf 'a~.\\n'; stty raw; printf 'x\\ny'; stty sane; exit 9\r");
      await shows(/a~\.\r\n/);
      await shows(/x\ny/);
      assert.deepEqual(await end, { code: 9, restored: true });
    },
  );

  await t.step("paddock shell is left by its way out and by signals", async () => {
    const left = shell(sandbox.id, "--", "sleep", "1003");
    await until("the program", 20_000, () => runs(sandbox, "sleep 1003"));
    left.send("~.");
    assert.deepEqual(await left.end, { code: 0, restored: true });
    await until("the hang-up", 10_000, async () => !await runs(sandbox, "sleep 1003"));

    const ended = shell(sandbox.id, "--", "sleep", "1004");
    await until("the program", 20_000, () => runs(sandbox, "sleep 1004"));
    ended.send({ signal: constants.signals.SIGTERM });
    assert.deepEqual(await ended.end, { code: 128 + 15, restored: true });
    await until("the hang-up", 10_000, async () => !await runs(sandbox, "sleep 1004"));
  });

  await t.step("paddock shell says what failed, and the terminal is as before", async () => {
    const missing = shell(sandbox.id, "--", "nonesuch");
    await missing.shows(/Failed to spawn 'nonesuch'/);
    assert.deepEqual(await missing.end, { code: 127, restored: true });

    const killed = await Sandbox.create({ ...options, timeout: "5m" });
    const orphan = shell(killed.id, "--", "sh", "-c", "echo up; sleep 1005");
    await orphan.shows(/up/);
    await killed.kill();
    await orphan.shows(/paddock: /);
    assert.deepEqual(await orphan.end, { code: 125, restored: true });
  });

  await t.step("paddock exec -t gives a command a terminal", async () => {
    const { shows, end } = sitInFront([
      "exec",
      "-t",
      sandbox.id,
      "--",
      "sh",
      "-c",
      "tty; kill -9 $$",
    ], server.env);
    await shows(/\/dev\/pts\/\d+\r\n/);
    assert.deepEqual(await end, { code: 128 + 9, restored: true });
  });

  await t.step("without a terminal it says so", async () => {
    const cli = `${repository}/packages/cli/main.ts`;
    const refused = await runWith("deno", cli, ["shell", sandbox.id], { env: server.env });
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /must be a terminal\n.*paddock exec/);
  });
  await sandbox.kill();
});

// deno-lint-ignore no-explicit-any
function checkSeen(seen: any): void {
  assert.match(seen.tty, /^\/dev\/pts\/\d+$/);
  assert.equal(seen.size, "25 90");
  assert.equal(seen.environment, "xterm-256color ä 1 /home/sandbox sandbox");
  assert.equal(seen.resized, "40 120");
  assert.equal(seen.interrupted, "130");
  assert.equal(seen.stopped, true);
  assert.equal(seen.quit, true);
  assert.equal(seen.modes, true);
  assert.deepEqual(seen.status, { success: false, code: 7, signal: null, oom: false });
  assert.deepEqual(seen.lines, [20_000, "20000"]);
  assert.match(seen.endOfInput, /^a\r\na\r\n/);
  assert.equal(seen.leftBehind, "left\r\n");
  assert.deepEqual(seen.hungUp, [3, "saved\n"]);
  assert.equal(seen.cancelled, "SIGHUP");
  assert.equal(seen.aborted, "SIGHUP");
  assert.match(seen.refusals.noColumns, /columns/);
  assert.match(seen.refusals.tooManyRows, /rows/);
  assert.match(seen.refusals.noProgram, /^NotFound: Failed to spawn 'nonesuch'/);
  assert.match(seen.refusals.noDirectory, /^NotFound: .*No such cwd/);
  // The one whose leader ended without it: a closed terminal ends nobody who does not ask.
  assert.match(seen.processes, /^\d+ sleep 1000$/);
}

/** The `paddock` command in a terminal of 100 by 30. */
function sitInFront(args: string[], env: Record<string, string>) {
  const bridge = fileURLToPath(new URL("in_terminal.py", import.meta.url));
  const launcher = `${repository}/packages/cli/bin/paddock.mjs`;
  const child = spawn("python3", [bridge, "100", "30", "node", launcher, ...args], {
    env: { ...Deno.env.toObject(), ...env, TERM: "xterm-256color" },
  });
  let shown = "";
  let report = "";
  child.stdout.setEncoding("utf8").on("data", (text) => shown += text);
  child.stderr.setEncoding("utf8").on("data", (text) => report += text);
  const end = once(child, "close").then(() => {
    const { code, modes } = JSON.parse(report);
    return { code, restored: modes[0] === modes[1] };
  });
  return {
    end,
    send: (command: string | object) => void child.stdin.write(`${JSON.stringify(command)}\n`),
    /** Waits for it on the screen, and looks from there the next time. */
    shows: (pattern: RegExp): Promise<string> =>
      until(`${pattern} on the screen`, 20_000, () => {
        const match = pattern.exec(shown);
        if (!match) return false;
        shown = shown.slice(match.index + match[0].length);
        return match[0];
      }).catch((error) => {
        child.kill();
        throw new Error(`${error.message}, which shows ${JSON.stringify(shown)}`);
      }),
  };
}

async function runs(sandbox: Sandbox, line: string): Promise<boolean> {
  return (await sandbox.sh("ps -eo args").text()).split("\n").includes(line);
}

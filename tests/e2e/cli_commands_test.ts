import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { repository, run, startServer, type TestServer, until } from "../harness.ts";

const launcher = `${repository}/packages/cli/bin/paddock.mjs`;

interface Session {
  server: TestServer;
  id: string;
  paddock(...args: string[]): ReturnType<typeof run>;
  /** As `paddock`, with input, and the process to send signals to. */
  start(args: string[], input?: string): {
    pid: number;
    out(): string;
    end: Promise<{ code: number | null; out: string; err: string }>;
  };
}

Deno.test("commands on a real sandbox", async (t) => {
  await using server = await startServer();
  const paddock = (...args: string[]) => run("node", [launcher, ...args], { env: server.env });
  const start: Session["start"] = (args, input) => {
    const child = spawn("node", [launcher, ...args], {
      env: { ...Deno.env.toObject(), ...server.env },
    });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text) => out += text);
    child.stderr.setEncoding("utf8").on("data", (text) => err += text);
    if (input !== undefined) child.stdin.end(input);
    const end = once(child, "close").then(([code]) => ({ code, out, err }));
    return { pid: child.pid!, out: () => out, end };
  };
  const created = await paddock("create", "-l", "user=ada", "-e", "PLAN=pro", "-m", "256MiB");
  assert.equal(created.code, 0, created.stderr);
  const id = created.stdout.trim();
  assert.match(id, /^sbx_[a-z]{3}_[0-9a-hjkmnp-z]{20}$/);
  const session: Session = { server, id, paddock, start };

  await t.step("ls shows it in words, as ids and as JSON", () => listing(session));
  await t.step("exec passes output, input, environment and exit codes", () => executing(session));
  await t.step("exec forwards signals", () => signalling(session));
  await t.step("eval prints values", () => evaluating(session));
  await t.step("cp carries files and directories both ways", () => copying(session));
  await t.step("extend, logs and kill", () => ending(session));
});

async function listing({ paddock, id }: Session): Promise<void> {
  const words = await paddock("ls");
  assert.match(words.stdout, /^ID +STATE +DRIVER +AGE +REMAINING +MEMORY +LABELS\n/);
  assert.match(words.stdout, new RegExp(`^${id} +running +gvisor .*256 MiB +user=ada$`, "m"));
  assert.equal((await paddock("ls", "-q", "--label", "user=ada")).stdout.trim(), id);
  assert.equal((await paddock("ls", "-q", "--label", "user=bob")).stdout, "");
  const [item] = JSON.parse((await paddock("ls", "--json")).stdout);
  assert.equal(item.id, id);
  assert.deepEqual(item.labels, { user: "ada" });
}

async function executing({ paddock, start, id }: Session): Promise<void> {
  const split = await paddock("exec", id, "--", "sh", "-c", "echo out; echo err >&2; exit 7");
  assert.deepEqual(
    { code: split.code, out: split.stdout, err: split.stderr },
    { code: 7, out: "out\n", err: "err\n" },
  );
  const env = await paddock(
    "exec",
    "-e",
    "A=1 2",
    "-w",
    "/tmp",
    id,
    "--",
    "sh",
    "-c",
    'echo "$A $PLAN $PWD $(id -un)"',
  );
  assert.equal(env.stdout, "1 2 pro /tmp sandbox\n");
  assert.equal((await paddock("exec", "--sudo", id, "--", "id", "-un")).stdout, "root\n");
  const input = await start(["exec", id, "--", "wc", "-c"], "x".repeat(300_000)).end;
  assert.equal(input.out.trim(), "300000");
  const big = await paddock("exec", id, "--", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x");
  assert.equal(big.stdout.length, 3_000_000);
  assert.equal((await paddock("exec", id, "--", "no-such-program")).code, 127);
  assert.equal((await paddock("exec", id, "--", "/etc/passwd")).code, 126);
  const lost = await paddock("exec", "sbx_ord_00000000000000000000", "--", "true");
  assert.equal(lost.code, 125);
  assert.match(lost.stderr, /SANDBOX_NOT_FOUND/);
}

async function signalling({ start, id }: Session): Promise<void> {
  const trap = start([
    "exec",
    id,
    "--",
    "bash",
    "-c",
    "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.05; done",
  ]);
  await until("the command", 20_000, () => trap.out().includes("ready"));
  Deno.kill(trap.pid, "SIGINT");
  const { code, out } = await trap.end;
  assert.deepEqual({ code, out }, { code: 3, out: "ready\ncaught\n" });

  const sleep = start(["exec", id, "--", "bash", "-c", "echo ready; exec sleep 100"]);
  await until("the command", 20_000, () => sleep.out().includes("ready"));
  Deno.kill(sleep.pid, "SIGTERM");
  assert.equal((await sleep.end).code, 143);
}

async function evaluating({ paddock, start, id }: Session): Promise<void> {
  assert.equal((await paddock("eval", id, "[1, { a: 'b' }]")).stdout, "[ 1, { a: 'b' } ]\n");
  assert.equal((await paddock("eval", id, "`text`")).stdout, "text\n");
  const json = await paddock("eval", "--json", id, "({ n: 1 })");
  assert.deepEqual(JSON.parse(json.stdout), { n: 1 });
  const thrown = await paddock("eval", id, "throw new RangeError('too far')");
  assert.equal(thrown.code, 1);
  assert.match(thrown.stderr, /too far/);
  const piped = await start(["eval", "-"], "await Promise.resolve(6 * 7)").end;
  assert.deepEqual({ code: piped.code, out: piped.out }, { code: 0, out: "42\n" }, piped.err);
  await until(
    "the end of the sandbox made for an eval",
    10_000,
    async () => (await paddock("ls", "-q")).stdout.trim() === id,
  );
}

async function copying({ paddock, id }: Session): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "paddock-cli-test-" });
  try {
    await mkdir(`${folder}/tree/inner`, { recursive: true });
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    await writeFile(`${folder}/tree/inner/data.bin`, bytes);
    await writeFile(`${folder}/tree/run.sh`, "#!/bin/sh\necho ran\n", { mode: 0o755 });
    const up = await paddock("cp", `${folder}/tree`, `${id}:copied`);
    assert.equal(up.code, 0, up.stderr);
    assert.equal((await paddock("exec", id, "--", "copied/run.sh")).stdout, "ran\n");
    const inside = await paddock("cp", `${folder}/tree/run.sh`, `${id}:copied`);
    assert.equal(inside.code, 0, inside.stderr);

    const down = await paddock("cp", `${id}:copied`, `${folder}/back`);
    assert.equal(down.code, 0, down.stderr);
    assert.deepEqual(new Uint8Array(await readFile(`${folder}/back/inner/data.bin`)), bytes);
    const file = await paddock("cp", `${id}:copied/inner/data.bin`, folder);
    assert.equal(file.code, 0, file.stderr);
    assert.deepEqual(new Uint8Array(await readFile(`${folder}/data.bin`)), bytes);

    const absent = await paddock("cp", `${id}:absent`, folder);
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /absent/);

    // A link the guest made must not decide where something is written on this machine.
    await paddock(
      "exec",
      id,
      "--",
      "sh",
      "-c",
      "mkdir evil && ln -s /etc evil/link && echo x > evil/ok",
    );
    const refused = await paddock("cp", `${id}:evil`, `${folder}/evil`);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /link/);
    const skipping = ["cp", "--outside-links", "skip", `${id}:evil`, `${folder}/skipped`];
    assert.equal((await paddock(...skipping)).code, 0);
    assert.deepEqual([...Deno.readDirSync(`${folder}/skipped`)].map(({ name }) => name), ["ok"]);
    await symlink("/nowhere", `${folder}/tree/dangling`);
    assert.equal((await paddock("cp", `${folder}/tree`, `${id}:with-link`)).code, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function ending({ paddock, id }: Session): Promise<void> {
  const extended = await paddock("extend", "--json", id, "20m");
  assert.equal(extended.code, 0, extended.stderr);
  const minutes = (Date.parse(JSON.parse(extended.stdout).stopAt) - Date.now()) / 60_000;
  assert.ok(minutes > 19 && minutes <= 20, `${minutes} minutes`);
  assert.equal((await paddock("extend", id, "2000m")).code, 1);
  assert.equal((await paddock("logs", id)).code, 0);

  const killed = await paddock("kill", id, "sbx_ord_00000000000000000000");
  assert.equal(killed.code, 1);
  assert.equal(killed.stdout.trim(), id);
  assert.match(killed.stderr, /sbx_ord_00000000000000000000: /);
  const kept = await paddock("logs", id);
  assert.match(kept.stdout, /agent/);
  assert.match(kept.stderr, new RegExp(`${id} has stopped \\(killed\\) at 20`));
  assert.equal(JSON.parse((await paddock("logs", "--json", id)).stdout).endReason, "killed");
  assert.equal((await paddock("ls", "-q")).stdout, "");
  const all = await paddock("ls", "--all");
  assert.match(all.stdout, new RegExp(`^${id} +stopped \\(killed\\)`, "m"));
  assert.equal((await paddock("exec", id, "--", "true")).code, 125);
}

import assert from "node:assert/strict";
import { Identity } from "../identity/identity.ts";
import { GuestProcess, type SpawnOptions } from "./guest_process.ts";

// Taking on the account is for good, and for all threads: this file's tests have a process of theirs.
const account = { name: "sandbox", uid: 1000, gid: 1000, home: "/tmp" };
let assumed: Identity | undefined;
const identity = () => assumed ??= Identity.assume(account);
const PATH = "/usr/local/bin:/usr/bin:/bin";

function start(command: string, args: string[], options: Partial<SpawnOptions> = {}): GuestProcess {
  return GuestProcess.spawn(identity(), {
    kind: "command",
    command,
    args,
    env: { PATH },
    cwd: "/tmp",
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    ...options,
  });
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}

async function output(command: string, args: string[], options?: Partial<SpawnOptions>) {
  const process = start(command, args, options);
  const text = await textOf(process.output("stdout"));
  return { text, ...await process.status };
}

const sh = (script: string, options?: Partial<SpawnOptions>) =>
  output("sh", ["-c", script], options);

// Waiting for a child or a pipe keeps no program alive; the agent has its listener for that.
setInterval(() => {}, 1000);
const withProcesses = { sanitizeOps: false, sanitizeResources: false };

Deno.test("a command's output, environment, directory and exit code", withProcesses, async () => {
  const result = await sh('echo "$WORD $PWD"; exit 7', {
    env: { PATH, WORD: "hello=wörld" },
    cwd: "/usr",
  });
  assert.deepEqual(result, {
    text: "hello=wörld /usr\n",
    success: false,
    code: 7,
    signal: null,
    oom: null,
  });
});

Deno.test("nothing of the agent's root is left in a command", withProcesses, async () => {
  if (Deno.uid() !== 0 && !assumed) {
    console.log("skipped: needs root");
    return;
  }
  const wanted = "^(Uid|Gid|Groups|CapPrm|CapEff|SigBlk|SigIgn):";
  const { text } = await sh(`grep -E '${wanted}' /proc/self/status`);
  assert.deepEqual(text.trim().split("\n").map((line) => line.trim().split(/\s+/)), [
    ["Uid:", "1000", "1000", "1000", "1000"],
    ["Gid:", "1000", "1000", "1000", "1000"],
    ["Groups:", "1000"],
    ["SigBlk:", "0000000000000000"],
    // The C library's own two, which no program can use.
    ["SigIgn:", "0000000180000000"],
    ["CapPrm:", "0000000000000000"],
    ["CapEff:", "0000000000000000"],
  ]);
});

Deno.test("other users, and the agent is itself again afterwards", withProcesses, async () => {
  if (!identity().canBeRoot) {
    console.log("skipped: needs root");
    return;
  }
  const ids = "grep -E '^(Uid|Gid|Groups):' /proc/self/status | tr -s '\\t' ' '";
  const root = await sh(ids, { user: { uid: 0, gid: 0 } });
  assert.equal(root.text, "Uid: 0 0 0 0\nGid: 0 0 0 0\nGroups: 0 \n");
  const nobody = await sh(ids, { user: { uid: 65534, gid: 65534 } });
  assert.equal(
    nobody.text,
    "Uid: 65534 65534 65534 65534\nGid: 65534 65534 65534 65534\nGroups: 65534 \n",
  );
  assert.throws(() => start("no-such-command", []), Deno.errors.NotFound);
  const own = Deno.readTextFileSync("/proc/thread-self/status");
  assert.match(own, /^Uid:\s+0\s+1000\s+0\s+1000$/m);
  assert.match(own, /^Gid:\s+0\s+1000\s+0\s+1000$/m);
  assert.match(own, /^Groups:\s*1000\s*$/m);
});

Deno.test("a command leads a session and holds no other's descriptors", withProcesses, async () => {
  const list = "ls /proc/self/fd";
  // What this test was started with may be held by every child.
  const inherited = await new Deno.Command("sh", { args: ["-c", list] }).output();
  const held = start("sleep", ["5"], { stdin: "piped", stderr: "piped" });
  assert.equal((await sh(list)).text, new TextDecoder().decode(inherited.stdout));
  const { text } = await sh("cut -d' ' -f6 /proc/$$/stat; echo $$");
  const [session, pid] = text.split("\n");
  assert.equal(session, pid);
  held.kill("SIGKILL");
  assert.deepEqual(await held.status, { success: false, code: 137, signal: "SIGKILL", oom: null });
  held.discardOutput("stdout");
  held.discardOutput("stderr");
  held.closeInput();
});

Deno.test("programs are found as Deno finds them", withProcesses, async () => {
  const dir = await Deno.makeTempDir({ dir: "/tmp" });
  identity().asRoot(() => Deno.chmodSync(dir, 0o755));
  const write = async (name: string, text: string, mode: number) => {
    await Deno.writeTextFile(`${dir}/${name}`, text);
    await Deno.chmod(`${dir}/${name}`, mode);
  };
  try {
    await write("named", "#!/bin/sh\necho named $1\n", 0o755);
    await write("nameless", "echo nameless $1\n", 0o755);
    await write("plain", "echo plain\n", 0o644);
    const env = { PATH: `/nowhere:${dir}:${PATH}` };
    assert.equal((await output("named", ["1"], { env })).text, "named 1\n");
    assert.equal((await output("nameless", ["2"], { env })).text, "nameless 2\n");
    assert.equal((await output("./named", ["3"], { cwd: dir })).text, "named 3\n");
    assert.throws(() => start("plain", [], { env }), Deno.errors.NotFound);
    assert.throws(() => start("./plain", [], { cwd: dir }), {
      name: "PermissionDenied",
      code: "EACCES",
    });
    assert.throws(() => start(dir, []), Deno.errors.PermissionDenied);
    assert.throws(() => start("sh", [], { env: {} }), Deno.errors.NotFound);
    assert.throws(() => start("", []), { name: "NotFound", code: "ENOENT" });
    assert.throws(() => start("sh", [], { cwd: `${dir}/none` }), {
      name: "NotFound",
      code: "ENOENT",
      message: /No such cwd/,
    });
    assert.throws(() => start("sh", ["-c", "a\0b"]), TypeError);
    assert.throws(() => start("sh", ["-c", "x".repeat(3_000_000)]), /too long/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("input arrives whole, and a reader that is gone stops it", withProcesses, async () => {
  const bytes = 3_000_000;
  const counted = start("wc", ["-c"], { stdin: "piped" });
  counted.feed(chunks(bytes));
  assert.equal((await textOf(counted.output("stdout"))).trim(), String(bytes));
  const deaf = start("sleep", ["0.1"], { stdin: "piped" });
  let cancelled = false;
  deaf.feed(
    new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65536)),
      cancel: () => void (cancelled = true),
    }),
  );
  await deaf.status;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(cancelled, true);
});

Deno.test("who reads slowly holds the process up", withProcesses, async () => {
  const process = start("head", ["-c", "20000000", "/dev/zero"]);
  const reader = process.output("stdout").getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(process.exit, undefined);
  let rest = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    rest += part.value.length;
  }
  assert.ok(rest > 19_000_000, `${rest} bytes`);
  assert.equal((await process.status).code, 0);
});

Deno.test("endless output leaves the agent time for others", withProcesses, async () => {
  const process = start("yes", []);
  process.discardOutput("stdout");
  let turns = 0;
  const end = Date.now() + 300;
  while (Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    turns++;
  }
  assert.ok(turns > 10, `${turns} turns`);
  process.kill("SIGKILL");
  assert.equal((await process.status).signal, "SIGKILL");
});

Deno.test("many at once, and no descriptor is lost", withProcesses, async () => {
  const round = () =>
    Promise.all(
      Array.from({ length: 25 }, (_, i) => sh(`echo ${i}; exit ${i}`, { stdin: "null" })),
    );
  await round();
  const before = [...Deno.readDirSync("/proc/self/fd")].length;
  for (let i = 0; i < 3; i++) {
    (await round()).forEach(({ text, code }, n) => assert.deepEqual([text, code], [`${n}\n`, n]));
  }
  assert.equal([...Deno.readDirSync("/proc/self/fd")].length, before);
});

Deno.test("a child of somebody else is left to them", withProcesses, async () => {
  const theirs = new Deno.Command("sh", { args: ["-c", "sleep 0.1; exit 3"] }).spawn();
  for (let i = 0; i < 5; i++) await sh("sleep 0.05");
  assert.equal((await theirs.status).code, 3);
});

function chunks(total: number): ReadableStream<Uint8Array> {
  let left = total;
  return new ReadableStream({
    pull(controller) {
      const size = Math.min(left, 100_000);
      left -= size;
      if (size > 0) controller.enqueue(new Uint8Array(size));
      if (left === 0) controller.close();
    },
  });
}

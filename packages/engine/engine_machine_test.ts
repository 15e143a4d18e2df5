import { strict as assert } from "node:assert";
import { LAYERS_PATH, runCommand, sleep } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import type { EndReason, RunningSandbox, SandboxRecord } from "./engine.ts";
import { createMemoryRecordStore } from "./memory_record_store.ts";
import { ensureImage } from "../../images/build_image.ts";
import {
  type BenchOptions,
  sandboxSpec,
  startBench as startBenchOf,
} from "./testing/engine_bench.ts";
import { guestShell } from "./testing/guest_shell.ts";
import { leftovers } from "./testing/leftovers.ts";

/** Where a set-up host keeps its guest image. */
const IMAGE_DIR = "/var/lib/paddock";

const CREATE_MS = 60_000;

async function guestImage() {
  const { digest, rootfs, manifest } = await ensureImage({ dataDir: IMAGE_DIR, trust: "host" });
  return { digest, rootfs, env: manifest.env };
}

async function startBench(options: Partial<BenchOptions> = {}) {
  return await startBenchOf({ image: await guestImage(), ...options });
}

const soon = () => AbortSignal.timeout(CREATE_MS);

Deno.test("a sandbox is created, answers, and leaves nothing when it is killed", async () => {
  const states: (string | undefined)[] = [];
  const memory = createMemoryRecordStore();
  const records = {
    ...memory,
    insert(record: SandboxRecord) {
      states.push(record.state);
      memory.insert(record);
    },
    update(id: string, patch: Partial<SandboxRecord>) {
      states.push(patch.state);
      memory.update(id, patch);
    },
    note(id: string, patch: Partial<SandboxRecord>) {
      states.push(patch.state);
      memory.note(id, patch);
    },
  };
  await using bench = await startBench({ records, prewarmSlots: 0 });
  const { engine, dataDir } = bench;
  const spec = sandboxSpec({ env: { COLOUR: "blue" } });
  const sandbox = await engine.create(spec, soon());
  assert.equal(sandbox.state, "running");
  assert.equal(sandbox.driver, "gvisor");
  assert.equal(engine.get(spec.id), sandbox);
  assert.equal(engine.list().length, 1);
  assert.equal(
    (await guestShell(sandbox, "pwd; whoami; echo $COLOUR")).trim(),
    "/home/sandbox\nsandbox\nblue",
  );
  assert.equal((await guestShell(sandbox, "hostname")).trim(), spec.id.replaceAll("_", "-"));
  const usage = await sandbox.usage();
  assert.ok(usage.memoryBytes > 10 * 1024 * 1024 && usage.cpuMicroseconds > 0);
  assert.equal(typeof await sandbox.logs(), "string");
  assert.ok((await leftovers(dataDir)).some((line) => line.startsWith("loop device")));
  const files = [...Deno.readDirSync(`${dataDir}/sandboxes`)];
  assert.deepEqual(files.map(({ name }) => name), [spec.id]);

  await Promise.all([sandbox.kill(), sandbox.kill()]);
  assert.equal(await sandbox.ended, "killed");
  assert.equal(sandbox.state, "stopped");
  assert.equal(engine.get(spec.id), undefined);
  assert.deepEqual(states, ["creating", "running", "stopping", "stopped"]);
  const [record] = memory.all();
  assert.equal(record.endReason, "killed");
  assert.ok(record.stoppedAt! >= record.createdAt);
  await engine.close();
  assert.deepEqual(await leftovers(dataDir), []);
  assert.deepEqual(bench.logged, []);
});

Deno.test("a sandbox ends at its time, which can be extended up to the limit", async () => {
  await using bench = await startBench({ limits: { timeoutExtendMaxMs: 60_000 } });
  const stopAt = Date.now() + 4_000;
  const sandbox = await bench.engine.create(sandboxSpec({ stopAt }), soon());
  await assert.rejects(sandbox.extend(Date.now() + 61_000), (error: PaddockError) => {
    assert.equal(error.code, "TIMEOUT_TOO_LONG");
    assert.match(error.message, /60 s.*limits\.timeoutExtendMaxMs/);
    return true;
  });
  assert.equal(await sandbox.extend(stopAt - 3_000), stopAt, "an extension never shortens");
  assert.equal(await sandbox.extend(stopAt + 1_000), stopAt + 1_000);
  assert.equal(sandbox.stopAt, stopAt + 1_000);
  assert.equal(bench.records.all()[0].stopAt, stopAt + 1_000);
  assert.equal(await endOf(sandbox, 15_000), "timeout");
  const late = Date.now() - (stopAt + 1_000);
  assert.ok(late >= 0 && late < 3_000, `it ended ${late} ms after its time`);
  await assert.rejects(sandbox.extend(Date.now() + 1_000), { code: "SANDBOX_STOPPED" });
});

Deno.test("a session sandbox lives while it is held", async () => {
  await using bench = await startBench({ limits: { sessionGraceMs: 1_500 } });
  const held = await bench.engine.create(sandboxSpec({ stopAt: "session" }), soon());
  const [one, two] = [held.holdSession(), held.holdSession()];
  const unheld = await bench.engine.create(sandboxSpec({ stopAt: "session" }), soon());
  assert.equal(await endOf(unheld, 10_000), "session_closed");
  assert.equal(held.state, "running");
  await assert.rejects(held.extend(Date.now() + 1_000), { code: "INVALID_CONFIG" });
  one.release();
  one.release();
  assert.equal(held.state, "running");
  two.release();
  assert.equal(await endOf(held, 10_000), "session_closed");
});

Deno.test("a machine that dies takes its sandbox with it, and the reason is told", async () => {
  await using bench = await startBench();
  const sandbox = await bench.engine.create(sandboxSpec(), soon());
  const list = await runCommand(["ps", "-eo", "pid,args"]);
  const sentry = list.stdout.split("\n").find((line) =>
    line.includes("runsc-sandbox") && line.trimEnd().endsWith(sandbox.spec.id)
  );
  await guestShell(sandbox, "sudo sh -c 'echo last words > /proc/1/fd/2'");
  Deno.kill(parseInt(sentry!), "SIGKILL");
  assert.equal(await endOf(sandbox, 10_000), "crashed");
  assert.match((await bench.engine.endedLog(sandbox.spec.id))!, /last words/);
  assert.equal(bench.records.all()[0].endReason, "crashed");
  assert.deepEqual(await foreignTo(bench.dataDir), []);
});

Deno.test("a creation that is given up leaves nothing, wherever it was", async () => {
  await using bench = await startBench({ prewarmSlots: 0 });
  const giveUpAfter = async (what: string, wait: () => Promise<void>) => {
    const give = new AbortController();
    const creation = bench.engine.create(sandboxSpec(), give.signal);
    const rejected = assert.rejects(creation, { code: "ABORTED" }, `given up after ${what}`);
    await wait();
    give.abort();
    await rejected;
    assert.deepEqual(bench.engine.list(), []);
    assert.deepEqual(await foreignTo(bench.dataDir), [], `given up after ${what}`);
  };
  // The first steps follow each other in less than a timer could tell apart.
  for (let turns = 0; turns < 24; turns++) {
    await giveUpAfter(`${turns} turns`, async () => {
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    });
  }
  for (let turns = 1; turns < 8; turns++) {
    await giveUpAfter(`${turns} calls of the system`, async () => {
      for (let turn = 0; turn < turns; turn++) await Deno.stat("/");
    });
  }
  for (const wait of [0, 1, 3, 6, 10, 20, 40, 80, 160]) {
    await giveUpAfter(`${wait} ms`, () => sleep(wait));
  }
  assert.ok(
    bench.records.all().every(({ state, endReason }) =>
      state === "stopped" && endReason === "create_failed"
    ),
  );
});

Deno.test("a sandbox can be killed while it is being created", async () => {
  await using bench = await startBench({ prewarmSlots: 0 });
  const spec = sandboxSpec();
  const creation = bench.engine.create(spec, soon());
  creation.catch(() => {});
  await sleep(30);
  await bench.engine.get(spec.id)!.kill();
  await assert.rejects(creation, { code: "SANDBOX_STOPPED" });
  assert.equal(bench.records.all()[0].endReason, "killed");
  assert.deepEqual(await foreignTo(bench.dataDir), []);
});

Deno.test("limits are refused by name", async () => {
  await using bench = await startBench({ limits: { sandboxes: 1 } });
  const spec = sandboxSpec();
  await bench.engine.create(spec, soon());
  await assert.rejects(bench.engine.create(sandboxSpec(), soon()), (error: PaddockError) => {
    assert.equal(error.code, "CAPACITY_EXHAUSTED");
    assert.match(error.message, /\b1\b.*limits\.sandboxes/);
    return true;
  });
  await assert.rejects(bench.engine.create(spec, soon()), { code: "SANDBOX_ALREADY_EXISTS" });

  await using hasty = await startBench({ limits: { agentStartMs: 60 } });
  await assert.rejects(hasty.engine.create(sandboxSpec(), soon()), (error: PaddockError) => {
    assert.equal(error.code, "AGENT_UNREACHABLE");
    assert.match(error.message, /60 ms.*limits\.agentStartMs/);
    return true;
  });
  assert.deepEqual(await foreignTo(hasty.dataDir), []);
});

Deno.test("an image that cannot boot is reported at once, its console in the log alone", async () => {
  const rootfs = await Deno.makeTempDir({ prefix: "paddock-empty-image-" });
  try {
    await Deno.mkdir(`${rootfs}/etc`);
    await Deno.mkdir(rootfs + LAYERS_PATH, { recursive: true });
    for (const name of ["hosts", "hostname", "resolv.conf"]) {
      await Deno.writeTextFile(`${rootfs}/etc/${name}`, "");
    }
    await using bench = await startBench({ image: { digest: "empty", rootfs } });
    const before = performance.now();
    const spec = sandboxSpec();
    await assert.rejects(bench.engine.create(spec, soon()), (error: PaddockError) => {
      assert.equal(error.code, "DRIVER_FAILED");
      assert.doesNotMatch(error.publicMessage, /root FS/);
      return true;
    });
    assert.ok(performance.now() - before < 10_000);
    assert.match(bench.logged.join("\n"), /root FS/);
    assert.equal(await bench.engine.endedLog(spec.id), undefined);
  } finally {
    await Deno.remove(rootfs, { recursive: true });
  }
});

Deno.test("a data directory has one engine; another directory runs beside it", async () => {
  await using bench = await startBench();
  await assert.rejects(startBench({ dataDir: bench.dataDir }), { code: "DATA_DIR_IN_USE" });
  await using beside = await startBench();
  const [one, two] = await Promise.all([
    bench.engine.create(sandboxSpec(), soon()),
    beside.engine.create(sandboxSpec(), soon()),
  ]);
  assert.notEqual(one.agent.host, two.agent.host);
  await beside.engine.close();
  assert.equal(await two.ended, "node_stopped");
  assert.deepEqual(await leftovers(beside.dataDir), []);
  assert.equal((await guestShell(one, "echo alive")).trim(), "alive");
  await assert.rejects(beside.engine.create(sandboxSpec(), soon()), { code: "SHUTTING_DOWN" });
});

Deno.test("a daemon that is killed leaves nothing once it is started again", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "paddock-engine-test-" });
  try {
    const daemon = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        new URL("testing/killed_daemon.ts", import.meta.url).pathname,
        dataDir,
        JSON.stringify(await guestImage()),
      ],
      stdout: "piped",
    }).spawn();
    const reader = daemon.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    while (!said.includes("ready")) {
      const { value, done } = await reader.read();
      assert.ok(!done, `the daemon ended early: ${said}`);
      said += value;
    }
    daemon.kill("SIGKILL");
    await daemon.status;
    await reader.cancel();
    const left = await leftovers(dataDir);
    assert.ok(left.some((line) => line.startsWith("process")), "its sandboxes outlive it");

    const records = createMemoryRecordStore();
    const template = {
      driver: "gvisor",
      alias: null,
      parent: null,
      template: null,
      stoppedAt: null,
      endReason: null,
      pauseAfterIdleMs: null,
      paused: null,
    } as const;
    const { id, organizationId, region, labels, memoryBytes } = sandboxSpec();
    records.insert({
      ...{ ...template, id, organizationId, region, labels, memoryBytes },
      ...{ state: "running", createdAt: Date.now(), stopAt: Date.now() },
    });
    await using bench = await startBench({ dataDir, records, prewarmSlots: 0 });
    assert.deepEqual(await foreignTo(dataDir), []);
    assert.equal(records.all()[0].state, "stopped");
    assert.equal(records.all()[0].endReason, "node_stopped");
    const sandbox = await bench.engine.create(sandboxSpec(), soon());
    assert.equal((await guestShell(sandbox, "echo new")).trim(), "new");
    await bench.engine.close();
    assert.deepEqual(await leftovers(dataDir), []);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a sandbox gets the processors it may have, and no more", async () => {
  await using bench = await startBench({ limits: { cpus: 0.5 } });
  const sandbox = await bench.engine.create(sandboxSpec(), soon());
  const before = (await sandbox.usage()).cpuMicroseconds;
  const started = performance.now();
  const spin = "timeout 3 sh -c 'while :; do :; done'";
  await guestShell(sandbox, `${spin} & ${spin} & wait`);
  const elapsed = (performance.now() - started) * 1_000;
  const share = ((await sandbox.usage()).cpuMicroseconds - before) / elapsed;
  assert.ok(share < 0.65, `it used ${share.toFixed(2)} of a processor`);
});

async function endOf(sandbox: RunningSandbox, deadlineMs: number): Promise<EndReason> {
  const reason = await Promise.race([sandbox.ended, sleep(deadlineMs).then(() => undefined)]);
  assert.ok(reason, `the sandbox has not ended within ${deadlineMs} ms`);
  return reason;
}

/** What is left of sandboxes while their engine still runs, with what it keeps ready left out. */
async function foreignTo(dataDir: string): Promise<string[]> {
  const find = async () =>
    (await leftovers(dataDir)).filter((line) =>
      /^(process|mounts|loop|file sandboxes|file gvisor)/.test(line)
    );
  // The kernel frees a loop device a moment after its last user.
  const end = performance.now() + 2_000;
  while ((await find()).length > 0 && performance.now() < end) await sleep(20);
  return await find();
}

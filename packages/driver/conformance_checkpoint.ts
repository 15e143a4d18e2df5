import { strict as assert } from "node:assert";
import { ConformanceHost, type HostOptions } from "./conformance_host.ts";
import type { ConformanceOptions } from "./conformance.ts";
import type { Capability, Checkpoint, Driver, Machine } from "./driver.ts";
import { runCommand } from "./run_command.ts";
import { sleep } from "./sleep.ts";

const STEP_MS = 60_000;
/** A guest that counts, a few times a second, in a file in its memory. */
const COUNT = "i=0; while :; do i=$((i+1)); echo $i >> /tmp/counted; sleep 0.2; done";
const COUNTED = "tail -n 1 /tmp/counted";
/** A program with its state in memory only: it answers with a number that it drew when it started. */
const REMEMBER = "mkfifo /tmp/ask /tmp/answer; n=$(od -An -N8 -tu8 /dev/urandom); " +
  "while read -r _ < /tmp/ask; do echo $n > /tmp/answer; done";
const ASK = "echo > /tmp/ask; cat /tmp/answer";

interface Bench {
  driver: Driver;
  stateDir: string;
  directory: string;
  host(options?: Partial<HostOptions>): Promise<ConformanceHost>;
  launch(host: ConformanceHost): Promise<Machine>;
  restore(host: ConformanceHost, from: Checkpoint, signal?: AbortSignal): Promise<Machine>;
}

/**
 * Registers the tests of what a driver can do beyond launching: only what its probe names is asked of
 * it, and what it does not name must be refused by name. One boot serves several tests, for an emulated
 * guest takes its time.
 */
export function registerCheckpointConformance(options: ConformanceOptions): void {
  const within = (ms = STEP_MS + (options.bootMs ?? 0)) => AbortSignal.timeout(ms);
  let probed: Promise<Capability[]> | undefined;
  const capabilities = (driver: Driver) =>
    probed ??= driver.probe(within()).then((probe) => {
      assert.deepEqual(probe.problems, []);
      return probe.capabilities;
    });
  const test = (what: string, needs: Capability[], body: (bench: Bench) => Promise<void>) =>
    Deno.test(`${options.name}: ${what}`, async (context) => {
      await using stack = new AsyncDisposableStack();
      const make = async (prefix: string) => {
        const path = await Deno.makeTempDir({ prefix });
        stack.defer(() => Deno.remove(path, { recursive: true }));
        return path;
      };
      const stateDir = await make("paddock-conformance-state-");
      const directory = await make("paddock-conformance-checkpoints-");
      const driver = options.createDriver(stateDir);
      const able = await capabilities(driver);
      const missing = needs.filter((name) => !able.includes(name));
      if (missing.length > 0) {
        console.log(`${context.name}: left out, for ${options.name} cannot ${missing.join(", ")}`);
        return;
      }
      const image = await options.image();
      const { machineMemoryBytes } = driver.traits;
      const keep = (machine: Machine) => {
        stack.defer(() => machine.stop());
        return machine;
      };
      await body({
        ...{ driver, stateDir, directory },
        host: async (more = {}) => {
          const all = { image, bootMs: options.bootMs, machineMemoryBytes, ...more };
          return stack.use(await ConformanceHost.create(all));
        },
        launch: async (host) => keep(await driver.launch(host.spec, within())),
        restore: async (host, checkpoint, signal = within()) => {
          if (driver.traits.diskInCheckpoint) await Deno.remove(host.spec.diskImage);
          return keep(await driver.restore(host.spec, checkpoint, signal));
        },
      });
    });

  test("siblings of one checkpoint go on where it stood, and its original too", [
    "checkpoint",
    "fork",
  ], async (bench) => {
    const host = await bench.host();
    const machine = await bench.launch(host);
    await host.shell("echo kept > /root/file; echo kept > /tmp/file");
    await host.shell(`(${COUNT}) > /dev/null 2>&1 &`);
    await host.shell(`(${REMEMBER}) > /dev/null 2>&1 &`);
    await waitFor(async () => await host.shell("test -p /tmp/answer; echo $?") === "0\n");
    const number = (await host.shell(ASK)).trim();
    assert.match(number, /^\d+$/);
    const count = () => host.shell(COUNTED).then(Number);
    await waitFor(async () => await count() > 0);

    const checkpoint = { directory: `${bench.directory}/one` };
    const before = await count();
    const { pausedMs } = await machine.checkpoint(checkpoint.directory, within());
    assert.ok(pausedMs > 0 && pausedMs < STEP_MS);
    const files = await checksums(checkpoint.directory);
    await waitFor(async () => await count() > before);
    assert.equal((await host.shell(ASK)).trim(), number, "the original has its memory");

    const hosts = await Promise.all([bench.host(), bench.host(), bench.host()]);
    const siblings = await Promise.all(hosts.map((host) => bench.restore(host, checkpoint)));
    for (const [index, host] of hosts.entries()) {
      assert.equal(siblings[index].id, host.spec.id);
      assert.equal(await host.shell("cat /root/file /tmp/file"), "kept\nkept\n");
      assert.equal((await host.shell(ASK)).trim(), number, "its program goes on");
      const now = Number(await host.shell(COUNTED));
      assert.ok(now >= before, "it goes on counting from where it stood");
      await host.shell(
        `echo ${index} > /root/own; rm /tmp/file; dd if=/dev/urandom of=/root/file bs=1M count=8`,
      );
    }
    for (const [index, host] of hosts.entries()) {
      assert.equal((await host.shell("cat /root/own")).trim(), String(index));
    }
    assert.equal(
      await host.shell("cat /root/file; ls /root/own 2>&1 | grep -c 'No such'"),
      "kept\n1\n",
    );
    assert.deepEqual(
      await checksums(checkpoint.directory),
      files,
      "the checkpoint does not change",
    );

    // A sibling outlives the others and is an original itself.
    await Promise.all([machine.stop(), siblings[0].stop()]);
    const second = { directory: `${bench.directory}/two` };
    await siblings[1].checkpoint(second.directory, within());
    await Promise.all([siblings[1].stop(), siblings[2].stop()]);
    await removeTree(checkpoint.directory);
    const grandchild = await bench.host();
    const last = await bench.restore(grandchild, second);
    assert.equal(
      await grandchild.shell("cat /root/own; ls /tmp/file 2>&1 | grep -c 'No such'"),
      "1\n1\n",
    );
    assert.equal((await grandchild.shell(ASK)).trim(), number);
    assert.equal((await grandchild.shell("wc -c < /root/file")).trim(), String(8 * 1024 * 1024));
    await last.stop();
    for (const host of [...hosts, grandchild]) await assertNothingLeft(host);
    assert.deepEqual(filesOf(bench.stateDir), []);
  });

  test("a machine is restored from a checkpoint that is still being written", [
    "checkpoint",
    "fork",
  ], async (bench) => {
    const host = await bench.host();
    const machine = await bench.launch(host);
    await host.shell("echo kept > /tmp/file");
    const early = await bench.host();
    const directory = `${bench.directory}/one`;
    const written = machine.checkpoint(directory, within());
    const restored = await bench.restore(early, { directory, written });
    assert.equal(await early.shell("cat /tmp/file"), "kept\n");
    await restored.stop();
    await assertNothingLeft(early);

    // Neither one that is not written after all, nor one that is given up, leaves anything.
    const failing = await bench.host();
    const broken = Promise.reject(new Error("no room for it"));
    broken.catch(() => {});
    await assert.rejects(
      bench.restore(failing, { directory: `${bench.directory}/none`, written: broken }),
      /no room for it/,
    );
    await assertNothingLeft(failing);
    const waiting = await bench.host();
    const stop = new AbortController();
    const never = { directory: `${bench.directory}/none`, written: new Promise(() => {}) };
    const giving = bench.restore(waiting, never, stop.signal);
    setTimeout(() => stop.abort(new Error("changed my mind")), 100);
    await assert.rejects(giving, /changed my mind/);
    await assertNothingLeft(waiting);
    await machine.stop();
    assert.deepEqual(filesOf(bench.stateDir), []);
  });

  test("a checkpoint that cannot be made leaves the machine running and nothing behind", [
    "checkpoint",
  ], async (bench) => {
    const host = await bench.host();
    const machine = await bench.launch(host);
    await host.shell("echo alive > /tmp/state");
    const alive = async () => assert.equal(await host.shell("cat /tmp/state"), "alive\n");

    const taken = `${bench.directory}/taken`;
    await Deno.mkdir(taken);
    await Deno.writeTextFile(`${taken}/precious`, "mine");
    await assert.rejects(machine.checkpoint(taken, within()));
    assert.equal(await Deno.readTextFile(`${taken}/precious`), "mine", "what was there stays");
    await alive();

    const nowhere = `${bench.directory}/no/such/parent`;
    await assert.rejects(machine.checkpoint(nowhere, within()));
    await alive();

    await using small = await smallFilesystem(`${bench.directory}/small`);
    const full = `${small.path}/checkpoint`;
    await assert.rejects(machine.checkpoint(full, within()), { code: "DISK_FULL" });
    await assert.rejects(Deno.stat(full), Deno.errors.NotFound);
    await alive();

    const aborted = `${bench.directory}/aborted`;
    const stop = new AbortController();
    const giving = machine.checkpoint(aborted, stop.signal);
    setTimeout(() => stop.abort(new Error("changed my mind")), 5);
    await assert.rejects(giving, /changed my mind/);
    await assert.rejects(Deno.stat(aborted), Deno.errors.NotFound);
    await alive();

    // And then one that can.
    await machine.checkpoint(`${bench.directory}/good`, within());
    await alive();
  });

  test("pause stops the guest and resume lets it go on; both may be repeated", [
    "pause",
    "checkpoint",
  ], async (bench) => {
    const host = await bench.host();
    const machine = await bench.launch(host);
    await host.shell(`(${COUNT}) > /dev/null 2>&1 &`);
    await machine.pause(within());
    await machine.pause(within());
    const used = (await machine.usage()).cpuMicroseconds;
    await sleep(1_000);
    const spent = (await machine.usage()).cpuMicroseconds - used;
    assert.ok(spent < 100_000, `a paused machine used ${spent} us of processor time in a second`);
    const silent = host.shell("true").then(() => "answered");
    assert.equal(await Promise.race([silent, sleep(1_500).then(() => "silent")]), "silent");

    // A paused machine can be checkpointed, and stays paused.
    const checkpoint = { directory: `${bench.directory}/paused` };
    await machine.checkpoint(checkpoint.directory, within());
    assert.equal(await Promise.race([silent, sleep(500).then(() => "silent")]), "silent");
    await machine.resume(within());
    await machine.resume(within());
    assert.equal(await silent, "answered");
    const before = Number(await host.shell(COUNTED));
    await waitFor(async () => Number(await host.shell(COUNTED)) > before);

    // What is restored from it runs.
    const other = await bench.host();
    const restored = await bench.restore(other, checkpoint);
    assert.match(await other.shell(COUNTED), /^\d+\n$/);

    await restored.pause(within());
    await restored.stop();
    await machine.pause(within());
    await machine.stop();
    assert.equal((await machine.exited).reason, "stopped");
    for (const ended of [host, other]) await assertNothingLeft(ended);
    await assert.rejects(machine.pause(within(5_000)));
  });

  test("a paused machine that is killed is reported; restored ones are reaped", [
    "pause",
    "checkpoint",
  ], async (bench) => {
    const host = await bench.host();
    const machine = await bench.launch(host);
    await host.shell("true");
    const checkpoint = { directory: `${bench.directory}/one` };
    await machine.checkpoint(checkpoint.directory, within());
    await machine.pause(within());
    for (const pid of host.cgroup.processes()) kill(pid);
    const exit = await Promise.race([machine.exited, sleep(10_000).then(() => undefined)]);
    assert.equal(exit?.reason, "crashed");
    await machine.stop();

    const left = await bench.host();
    const restored = await bench.restore(left, checkpoint);
    await left.shell("true");
    const later = options.createDriver(bench.stateDir);
    assert.deepEqual((await later.reap(within())).machines, [left.spec.id]);
    await restored.exited;
    await assertNothingLeft(left);
    assert.deepEqual(filesOf(bench.stateDir), []);
  });

  test("what is no checkpoint is refused, and leaves nothing", ["checkpoint"], async (bench) => {
    const host = await bench.host();
    await Deno.mkdir(`${bench.directory}/empty`);
    await assert.rejects(bench.restore(host, { directory: `${bench.directory}/empty` }));
    await assertNothingLeft(host);
    assert.deepEqual(filesOf(bench.stateDir), []);
  });

  test("resize takes memory from the guest and gives it back, up to what it had", [
    "resize",
  ], async (bench) => {
    const memoryMb = 300;
    const host = await bench.host({ memoryMb });
    const machine = await bench.launch(host);
    const MiB = 1024 * 1024;
    const free = async () => Number((await host.shell("free -m | awk '/^Mem/ {print $4}'")).trim());
    const before = await free();
    await machine.resize((memoryMb - 100) * MiB, within());
    await waitFor(async () => await free() < before - 70);
    await machine.resize(memoryMb * MiB, within());
    await waitFor(async () => await free() > before - 30);
    await assert.rejects(machine.resize((memoryMb + 1) * MiB, within()));
    assert.equal(await host.shell("echo still here"), "still here\n");
  });

  Deno.test(`${options.name}: what the driver cannot do is refused by name`, async () => {
    const stateDir = await Deno.makeTempDir({ prefix: "paddock-conformance-state-" });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(stateDir, { recursive: true }));
    const driver = options.createDriver(stateDir);
    const able = await capabilities(driver);
    const operations: [Capability, (machine: Machine) => Promise<unknown>][] = [
      ["checkpoint", (machine) => machine.checkpoint(`${stateDir}/none`, within())],
      ["pause", (machine) => machine.pause(within())],
      ["resize", (machine) => machine.resize(64 * 1024 * 1024, within())],
    ];
    const cannot = operations.filter(([name]) => !able.includes(name));
    if (cannot.length === 0) return;
    const image = await options.image();
    const host = stack.use(await ConformanceHost.create({ image, bootMs: options.bootMs }));
    const machine = await driver.launch(host.spec, within());
    stack.defer(() => machine.stop());
    for (const [, attempt] of cannot) {
      await assert.rejects(attempt(machine), { code: "DRIVER_CANNOT" });
    }
  });
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + STEP_MS;
  while (!await condition()) {
    assert.ok(performance.now() < end, `it did not happen within ${STEP_MS} ms`);
    await sleep(50);
  }
}

/** A filesystem too small for any machine's memory. */
async function smallFilesystem(path: string): Promise<AsyncDisposable & { path: string }> {
  await Deno.mkdir(path);
  const mounted = await runCommand(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path]);
  assert.ok(mounted.ok, mounted.stderr);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      const gone = await runCommand(["umount", path]);
      assert.ok(gone.ok, gone.stderr);
    },
  };
}

async function checksums(directory: string): Promise<string[]> {
  const run = await runCommand([
    "sh",
    "-c",
    'cd "$1" && md5sum $(find . -type f | sort)',
    "sh",
    directory,
  ], {
    deadlineMs: STEP_MS,
  });
  assert.ok(run.ok, run.stderr);
  return run.stdout.trim().split("\n");
}

async function assertNothingLeft(host: ConformanceHost): Promise<void> {
  const end = performance.now() + 5_000;
  while (host.leftovers().length > 0 && performance.now() < end) await sleep(20);
  assert.deepEqual(host.leftovers(), []);
}

async function removeTree(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true });
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It has ended with another one.
  }
}

/** Files (not directories) below a directory. */
function filesOf(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap((entry) =>
    entry.isDirectory ? filesOf(`${directory}/${entry.name}`) : [`${directory}/${entry.name}`]
  );
}

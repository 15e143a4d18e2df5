import { strict as assert } from "node:assert";
import { ConformanceHost, type HostOptions } from "./_conformance_host.ts";
import type { Driver, Machine, MachineExit } from "./driver.ts";
import { runCommand } from "./run_command.ts";
import { sleep } from "./sleep.ts";

export interface ConformanceOptions {
  name: string;
  createDriver(stateDir: string): Driver;
  /** Path of a guest image's root. */
  rootfs(): Promise<string>;
  /** Tells by its command line the one process without which the guest is gone. */
  isVital(commandLine: string): boolean;
}

interface Bench {
  driver: Driver;
  stateDir: string;
  host(options?: Partial<HostOptions>): Promise<ConformanceHost>;
  launch(host: ConformanceHost): Promise<Machine>;
}

const LAUNCH_MS = 30_000;
const EXIT_MS = 15_000;

/** Registers the tests that every driver has to pass. They need root and the driver's programs. */
export function registerDriverConformance(options: ConformanceOptions): void {
  const test = (what: string, body: (bench: Bench) => Promise<void>) =>
    Deno.test(`${options.name}: ${what}`, async () => {
      await using stack = new AsyncDisposableStack();
      const stateDir = await Deno.makeTempDir({ prefix: "paddock-conformance-state-" });
      stack.defer(() => Deno.remove(stateDir, { recursive: true }));
      const driver = options.createDriver(stateDir);
      const rootfs = await options.rootfs();
      await body({
        driver,
        stateDir,
        host: async (more = {}) => stack.use(await ConformanceHost.create({ rootfs, ...more })),
        launch: async (host) => {
          const machine = await driver.launch(host.spec, AbortSignal.timeout(LAUNCH_MS));
          stack.defer(() => machine.stop());
          return machine;
        },
      });
    });

  test("probe boots something and tells the version", async ({ driver }) => {
    const result = await driver.probe(AbortSignal.timeout(LAUNCH_MS));
    assert.deepEqual(result.problems, []);
    assert.equal(result.works, true);
    assert.ok(result.version);
    assert.equal(result.driver, driver.name);
  });

  test("a launched machine is reached at its address and sees what it was given", async (bench) => {
    const host = await bench.host({ memoryMb: 300 });
    const machine = await bench.launch(host);
    assert.equal((await host.shell("id -u; hostname")).trim(), "0\nconformance");
    assert.equal(await host.shell("cat /etc/resolv.conf"), host.spec.resolvConf);
    const total = Number(/MemTotal:\s+(\d+) kB/.exec(await host.shell("cat /proc/meminfo"))?.[1]);
    assert.equal(total, 300 * 1024);
    assert.match(machine.console(), /guest is up/);
    assert.equal(machine.id, host.spec.id);
  });

  test("nothing of the host is seen from inside", async (bench) => {
    const host = await bench.host();
    await bench.launch(host);
    const mark = await Deno.makeTempFile({ dir: "/tmp", prefix: "paddock-mark-" });
    try {
      assert.doesNotMatch(await host.shell("ls -a /tmp /root /run"), /paddock-mark/);
    } finally {
      await Deno.remove(mark);
    }
    assert.doesNotMatch(await host.shell("cat /proc/*/cmdline | tr '\\0' ' '"), /deno/);
    assert.equal((await host.shell("ls /sys/class/net 2>/dev/null | grep -c pdt")).trim(), "0");
    assert.doesNotMatch(await host.shell("cat /proc/mounts"), /paddock-conformance/);
  });

  test("a guest that ends by itself is reported at once, with its exit code", async (bench) => {
    const host = await bench.host({ args: ["/bin/sh", "-c", "echo bye; exit 3"] });
    const machine = await bench.launch(host);
    const exit = await exitOf(machine);
    assert.equal(exit.reason, "guest_exited");
    assert.equal(exit.code, 3);
    assert.match(exit.detail ?? "", /bye/);
  });

  test("a machine whose process is killed is reported as crashed, promptly", async (bench) => {
    const host = await bench.host();
    const machine = await bench.launch(host);
    await host.shell("true");
    const before = performance.now();
    const vital = host.cgroup.processes().filter((pid) => options.isVital(commandLine(pid)));
    assert.equal(vital.length, 1, "one process is the machine");
    Deno.kill(vital[0], "SIGKILL");
    assert.equal((await exitOf(machine)).reason, "crashed");
    assert.ok(performance.now() - before < 2_000, "the crash was noticed late");
  });

  test("a machine that cannot start is reported with the reason", async (bench) => {
    const host = await bench.host({ args: ["/no/such/program"] });
    const machine = await bench.launch(host);
    const exit = await exitOf(machine);
    assert.notEqual(exit.reason, "stopped");
    assert.match(exit.detail ?? "", /no such|not found/i);
  });

  test("a guest that takes more memory than it has ends as out of memory", async (bench) => {
    const host = await bench.host({ memoryMb: 128 });
    const machine = await bench.launch(host);
    await host.shell("true");
    host.shell("head -c 1G /dev/zero | tail", 0).catch(() => {});
    assert.equal((await exitOf(machine)).reason, "out_of_memory");
  });

  test("a full disk is an error in the guest and nothing else", async (bench) => {
    const host = await bench.host({ diskMb: 64 });
    await bench.launch(host);
    const written = await host.shell("dd if=/dev/zero of=/big bs=1M count=200; echo code=$?");
    assert.match(written, /No space left on device/);
    assert.equal((await host.shell("rm /big; echo still here")).trim(), "still here");
    // What was deleted can be written again.
    const again = await host.shell("dd if=/dev/zero of=/small bs=1M count=20; echo code=$?");
    assert.match(again, /code=0/);
  });

  test("stop ends it, may be repeated, and leaves nothing", async (bench) => {
    const host = await bench.host();
    const machine = await bench.launch(host);
    await host.shell("true");
    assert.notDeepEqual(host.leftovers(), [], "the check sees a running machine");
    await Promise.all([machine.stop(), machine.stop()]);
    assert.equal((await exitOf(machine)).reason, "stopped");
    await machine.stop();
    await assertNothingLeft(host);
    assert.deepEqual(files(bench.stateDir), []);
  });

  test("stop right after launch leaves nothing either", async (bench) => {
    for (const wait of [0, 5, 20, 60]) {
      const host = await bench.host();
      const machine = await bench.launch(host);
      await sleep(wait);
      await machine.stop();
      await assertNothingLeft(host);
    }
  });

  test("an aborted launch leaves nothing", async (bench) => {
    const host = await bench.host();
    await assert.rejects(bench.driver.launch(host.spec, AbortSignal.abort(new Error("changed"))));
    await assertNothingLeft(host);
    assert.deepEqual(files(bench.stateDir), []);
  });

  test("two machines do not see each other, nor change their image", async (bench) => {
    const [one, two] = await Promise.all([bench.host(), bench.host()]);
    await Promise.all([bench.launch(one), bench.launch(two)]);
    await one.shell(
      "echo mine > /etc/paddock-mark; echo mine > /root/paddock-mark; sleep 77 >/dev/null 2>&1 &",
    );
    assert.equal(
      (await two.shell("ls /etc/paddock-mark /root/paddock-mark 2>/dev/null")).trim(),
      "",
    );
    assert.doesNotMatch(await two.shell("cat /proc/*/cmdline | tr '\\0' ' '"), /sleep 77/);
    await assert.rejects(Deno.stat(`${one.spec.rootfs}/etc/paddock-mark`), Deno.errors.NotFound);
  });

  test("usage grows with what the guest does", async (bench) => {
    const host = await bench.host();
    const machine = await bench.launch(host);
    await host.shell("true");
    const before = await machine.usage();
    assert.ok(before.memoryBytes > 1024 * 1024);
    await host.shell("i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done");
    const after = await machine.usage();
    assert.ok(after.cpuMicroseconds > before.cpuMicroseconds);
  });

  test("a flood on the console is kept within its bound", async (bench) => {
    const host = await bench.host({ logBytes: 16 * 1024 });
    const machine = await bench.launch(host);
    await host.shell("true");
    host.shell("yes flood | head -c 3000000 > /proc/1/fd/1; echo the end > /proc/1/fd/1", 0)
      .catch(() => {});
    await waitFor(() => machine.console().includes("the end"), 20_000);
    assert.ok(machine.console().length <= 32 * 1024 + 65_536);
    const { size } = await Deno.stat(`${host.spec.workDir}/console.log`);
    assert.ok(size <= 2 * (32 * 1024 + 65_536), `console.log has ${size} bytes`);
  });

  test("reap ends what an earlier daemon left, and may be repeated", async (bench) => {
    const host = await bench.host();
    const machine = await bench.launch(host);
    await host.shell("true");
    const later = options.createDriver(bench.stateDir);
    const { machines } = await later.reap(AbortSignal.timeout(LAUNCH_MS));
    assert.deepEqual(machines, [host.spec.id]);
    await exitOf(machine);
    await assertNothingLeft(host);
    assert.deepEqual((await later.reap(AbortSignal.timeout(LAUNCH_MS))).machines, []);
    assert.deepEqual(files(bench.stateDir), []);
  });
}

async function exitOf(machine: Machine): Promise<MachineExit> {
  const exit = await Promise.race([machine.exited, sleep(EXIT_MS).then(() => undefined)]);
  assert.ok(exit, `the machine has not ended within ${EXIT_MS} ms`);
  return exit;
}

async function waitFor(condition: () => boolean, deadlineMs: number): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    assert.ok(performance.now() < end, `it did not happen within ${deadlineMs} ms`);
    await sleep(20);
  }
}

/** The kernel frees a loop device a moment after its last user. */
async function assertNothingLeft(host: ConformanceHost): Promise<void> {
  const end = performance.now() + 2_000;
  while (host.leftovers().length > 0 && performance.now() < end) await sleep(10);
  assert.deepEqual(host.leftovers(), []);
  const list = await runCommand(["ps", "-eo", "args"]);
  assert.ok(!list.stdout.includes(host.spec.id), "a process still names the machine");
}

function commandLine(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** Files (not directories) below a directory. */
function files(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap((entry) =>
    entry.isDirectory ? files(`${directory}/${entry.name}`) : [`${directory}/${entry.name}`]
  );
}

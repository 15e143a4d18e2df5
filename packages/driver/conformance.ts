import { strict as assert } from "node:assert";
import { ConformanceHost, type HostOptions } from "./conformance_host.ts";
import {
  type Driver,
  LAYERS_PATH,
  type Machine,
  type MachineExit,
  type MachineImage,
} from "./driver.ts";
import { runCommand } from "./run_command.ts";
import { sleep } from "./sleep.ts";

export interface ConformanceOptions {
  name: string;
  createDriver(stateDir: string): Driver;
  /** A real guest image. */
  image(): Promise<MachineImage>;
  /** Tells by its command line the one process without which the guest is gone. */
  isVital(commandLine: string): boolean;
  /** How long a guest may take to boot, where that is longer than a gVisor's. */
  bootMs?: number;
  /**
   * The guest has a kernel of its own: that takes a few percent of the memory, and ends a process that
   * asks for too much by itself, where a shared one can only end the machine.
   */
  ownKernel?: boolean;
  /** How much a guest writes to its console at once, where 3 MB would take it minutes. */
  floodBytes?: number;
}

interface Bench {
  driver: Driver;
  stateDir: string;
  host(options?: Partial<HostOptions>): Promise<ConformanceHost>;
  launch(host: ConformanceHost): Promise<Machine>;
}

const LAUNCH_MS = 30_000;
/** For a machine's end that the guest's boot comes before. */
const EXIT_MS = 15_000;

/** Registers the tests that every driver has to pass. They need root and the driver's programs. */
export function registerDriverConformance(options: ConformanceOptions): void {
  const launchMs = LAUNCH_MS + (options.bootMs ?? 0);
  const test = (what: string, body: (bench: Bench) => Promise<void>) =>
    Deno.test(`${options.name}: ${what}`, async () => {
      await using stack = new AsyncDisposableStack();
      const stateDir = await Deno.makeTempDir({ prefix: "paddock-conformance-state-" });
      stack.defer(() => Deno.remove(stateDir, { recursive: true }));
      const driver = options.createDriver(stateDir);
      const image = await options.image();
      await body({
        driver,
        stateDir,
        host: async (more = {}) => {
          const { bootMs } = options;
          const { machineMemoryBytes } = driver.traits;
          const all = { image, bootMs, machineMemoryBytes, ...more };
          return stack.use(await ConformanceHost.create(all));
        },
        launch: async (host) => {
          const machine = await driver.launch(host.spec, AbortSignal.timeout(launchMs));
          stack.defer(() => machine.stop());
          return machine;
        },
      });
    });

  const exitOf = (machine: Machine) => endOf(machine, EXIT_MS + (options.bootMs ?? 0));

  test("probe boots something and tells the version", async ({ driver }) => {
    const result = await driver.probe(AbortSignal.timeout(launchMs));
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
    const difference = Math.abs(total / (300 * 1024) - 1);
    assert.ok(difference <= (options.ownKernel ? 0.03 : 0), `MemTotal is ${total} kB`);
    assert.match(machine.console(), /guest is up/);
    assert.equal(machine.id, host.spec.id);
  });

  test("the host's layers are seen, read-only, and so is what is added to them", async (bench) => {
    const host = await bench.host();
    const add = async (name: string, text: string) => {
      await Deno.mkdir(`${host.spec.layers}/${name}`);
      await Deno.writeTextFile(`${host.spec.layers}/${name}/file`, text);
    };
    await add("early", "early\n");
    await bench.launch(host);
    const read = (name: string) => host.shell(`cat ${LAYERS_PATH}/${name}/file`);
    assert.equal(await read("early"), "early\n");
    assert.match(await read("late"), /No such file/);
    await add(".late", "late\n");
    await Deno.rename(`${host.spec.layers}/.late`, `${host.spec.layers}/late`);
    if (bench.driver.traits.layersFixed) assert.match(await read("late"), /No such file/);
    else assert.equal(await read("late"), "late\n");
    assert.match(await host.shell(`touch ${LAYERS_PATH}/early/new`), /Read-only file system/);
    const file = `${LAYERS_PATH}/early/file`;
    for (const what of [`echo x > ${file}`, `rm -rf ${LAYERS_PATH}/early`, `chmod 777 ${file}`]) {
      await host.shell(`mount -o remount,rw ${LAYERS_PATH}; ${what}`);
    }
    assert.equal(await Deno.readTextFile(`${host.spec.layers}/early/file`), "early\n");
    assert.equal((await Deno.stat(`${host.spec.layers}/early/file`)).mode! & 0o777, 0o644);
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

  test("a guest that takes more memory than it has harms nobody else", async (bench) => {
    const host = await bench.host({ memoryMb: 128 });
    const machine = await bench.launch(host);
    await host.shell("true");
    if (options.ownKernel) {
      assert.match(await host.shell("head -c 1G /dev/zero | tail; echo code=$?"), /code=137/);
      assert.match(await host.shell("echo still here"), /still here/);
      return;
    }
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
    await assert.rejects(
      Deno.stat(`${one.spec.image.rootfs}/etc/paddock-mark`),
      Deno.errors.NotFound,
    );
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
    const flood = `yes flood | head -c ${options.floodBytes ?? 3_000_000}`;
    host.shell(`${flood} > /proc/1/fd/1; echo the end > /proc/1/fd/1`, 0).catch(() => {});
    await waitFor(() => machine.console().includes("the end"), 20_000 + (options.bootMs ?? 0));
    assert.ok(machine.console().length <= 32 * 1024 + 65_536);
    const { size } = await Deno.stat(`${host.spec.workDir}/console.log`);
    assert.ok(size <= 2 * (32 * 1024 + 65_536), `console.log has ${size} bytes`);
  });

  test("reap ends what an earlier daemon left, and may be repeated", async (bench) => {
    const host = await bench.host();
    const machine = await bench.launch(host);
    await host.shell("true");
    const later = options.createDriver(bench.stateDir);
    const { machines } = await later.reap(AbortSignal.timeout(launchMs));
    assert.deepEqual(machines, [host.spec.id]);
    await exitOf(machine);
    await assertNothingLeft(host);
    assert.deepEqual((await later.reap(AbortSignal.timeout(launchMs))).machines, []);
    assert.deepEqual(files(bench.stateDir), []);
  });
}

async function endOf(machine: Machine, deadlineMs: number): Promise<MachineExit> {
  const exit = await Promise.race([machine.exited, sleep(deadlineMs).then(() => undefined)]);
  assert.ok(exit, `the machine has not ended within ${deadlineMs} ms`);
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

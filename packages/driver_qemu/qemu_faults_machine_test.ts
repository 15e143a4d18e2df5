import { strict as assert } from "node:assert";
import { ConformanceHost } from "../driver/conformance_host.ts";
import { type Driver, type Machine, type MachineExit, sleep } from "@paddock/driver";
import { ensureImage } from "../../images/build_image.ts";
import { ensureVmGuest } from "../../images/vm/vm_guest.ts";
import { createQemuDriver, type QemuDriverOptions } from "./qemu_driver.ts";

const dataDir = "/var/lib/paddock";
const boot = await ensureVmGuest({ dataDir });
const image = await ensureImage({ dataDir, trust: "host" });
const BOOT_MS = 120_000;
const MiB = 1024 * 1024;

interface Bench extends AsyncDisposable {
  driver: Driver;
  directory: string;
  host(): Promise<ConformanceHost>;
}

async function bench(options: Partial<QemuDriverOptions> = {}): Promise<Bench> {
  const stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "paddock-faults-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const cacheDir = `${dataDir}/vm-layers`;
  const stateDir = `${directory}/state`;
  const driver = createQemuDriver({ stateDir, cacheDir, boot, accelerator: "tcg", ...options });
  const { machineMemoryBytes } = driver.traits;
  return {
    ...{ driver, directory },
    host: () => ConformanceHost.create({ image, machineMemoryBytes, bootMs: BOOT_MS }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const signal = () => AbortSignal.timeout(BOOT_MS);

/** How a machine ends to which something happens; it must be gone then, and be so promptly. */
async function endOf(machine: Machine, host: ConformanceHost): Promise<MachineExit> {
  const exit = await Promise.race([machine.exited, sleep(40_000).then(() => undefined)]);
  assert.ok(exit, "the machine has not ended");
  await machine.stop();
  assert.deepEqual(host.leftovers(), []);
  return exit;
}

Deno.test("qemu: whatever ends a machine, the reason says what it was", async (context) => {
  await using quick = await bench({ answerMs: 10_000 });
  await using first = await quick.host();
  const original = await quick.driver.launch(first.spec, signal());
  const checkpoint = { directory: `${quick.directory}/checkpoint` };
  try {
    await first.shell("true");
    await original.checkpoint(checkpoint.directory, signal());
  } finally {
    await original.stop();
  }

  const step = (
    what: string,
    does: (host: ConformanceHost, machine: Machine) => void | Promise<void>,
    expected: { reason: MachineExit["reason"]; code?: number; detail: RegExp },
    prepare: (host: ConformanceHost) => void = () => {},
  ) =>
    context.step(what, async () => {
      await using host = await quick.host();
      prepare(host);
      await Deno.remove(host.spec.diskImage);
      const machine = await quick.driver.restore(host.spec, checkpoint, signal());
      try {
        await host.shell("true");
        await does(host, machine);
        const exit = await endOf(machine, host);
        assert.equal(exit.reason, expected.reason, exit.detail);
        assert.match(exit.detail ?? "", expected.detail);
        if (expected.code !== undefined) assert.equal(exit.code, expected.code);
      } finally {
        await machine.stop();
      }
    });
  const inGuest = (command: string) => (host: ConformanceHost) => {
    host.shell(command, 0).catch(() => {});
  };

  await step("its kernel panics", inGuest("echo c > /proc/sysrq-trigger"), {
    reason: "crashed",
    detail: /the guest's kernel panicked: sysrq triggered crash/,
  });
  await step("it restarts itself", inGuest("echo b > /proc/sysrq-trigger"), {
    reason: "guest_exited",
    detail: /restarted itself/,
  });
  await step("it switches itself off", inGuest("echo o > /proc/sysrq-trigger"), {
    reason: "guest_exited",
    detail: /switched itself off/,
  });
  await step("its init is asked to", inGuest("kill -USR2 1"), {
    reason: "guest_exited",
    code: 0,
    detail: /first program ended with 0/,
  });
  await step("it says it has ended, and has not", async (host, machine) => {
    await host.shell("echo 'paddock: the first program ended with 3' > /dev/console");
    await sleep(300);
    assert.equal(await host.shell("echo still here"), "still here\n");
    process(host, "SIGKILL");
    assert.ok(machine.pid > 0);
  }, { reason: "guest_exited", code: 3, detail: /ended with 3/ });
  await step("QEMU is killed", (host) => process(host, "SIGKILL"), {
    reason: "crashed",
    detail: /\(QEMU\) was killed or failed/,
  });
  await step("QEMU hangs", (host) => process(host, "SIGSTOP"), {
    reason: "crashed",
    detail: /QEMU hung/,
  });
  await step(
    "QEMU takes more memory than it may",
    inGuest("dd if=/dev/zero of=/dev/shm/big bs=1M count=110"),
    {
      reason: "out_of_memory",
      detail: /\(QEMU\) took more memory than it may/,
    },
    (host) => host.cgroup.create({ memoryBytes: 110 * MiB, pids: 1_024 }),
  );
});

Deno.test("qemu: a missing QEMU, one that is none, and one that is too old are named", async () => {
  const directory = await Deno.makeTempDir({ prefix: "paddock-faults-" });
  try {
    const program = async (name: string, says: string) => {
      await Deno.writeTextFile(`${directory}/${name}`, `#!/bin/sh\necho "${says}"\n`, {
        mode: 0o755,
      });
      return `${directory}/${name}`;
    };
    for (
      const [qemuPath, pattern] of [
        ["/no/such/qemu", /There is no \/no\/such\/qemu/],
        [await program("cat", "meow"), /is no QEMU/],
        [
          await program("old", "QEMU emulator version 7.2.19"),
          /QEMU 7\.2\.19: version 8\.2 or newer/,
        ],
      ] as [string, RegExp][]
    ) {
      await using faulty = await bench({ qemuPath });
      const probe = await faulty.driver.probe(signal());
      assert.equal(probe.works, false);
      assert.match(probe.problems.join(" "), pattern);
      await using host = await faulty.host();
      await assert.rejects(faulty.driver.launch(host.spec, signal()), pattern);
      assert.deepEqual(host.leftovers(), []);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("qemu: a kernel that is none is a problem of the probe, with what QEMU said", async () => {
  const directory = await Deno.makeTempDir({ prefix: "paddock-faults-" });
  try {
    const kernel = `${directory}/kernel`;
    await Deno.writeTextFile(kernel, "no kernel");
    await using faulty = await bench({ boot: { ...boot, bzImage: kernel } });
    const { works, problems } = await faulty.driver.probe(signal());
    assert.equal(works, false);
    assert.match(problems.join(" "), /did not boot in QEMU \(tcg\)/);
    await using missing = await bench({ boot: { ...boot, initramfs: `${directory}/none` } });
    assert.match((await missing.driver.probe(signal())).problems.join(" "), /none is missing/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("qemu: a KVM that opens and runs no kernel is passed over, and said so", async (context) => {
  const kvm = await Deno.stat("/dev/kvm").then(() => true, () => false);
  if (!kvm) return console.log(`${context.name}: left out, for there is no /dev/kvm here`);
  const directory = await Deno.makeTempDir({ prefix: "paddock-faults-" });
  try {
    const qemuPath = `${directory}/qemu`;
    const hangs = `#!/bin/sh
case "$*" in *"-accel kvm"*) exec sleep 60 ;; esac
exec qemu-system-x86_64 "$@"
`;
    await Deno.writeTextFile(qemuPath, hangs, { mode: 0o755 });
    await using faulty = await bench({ qemuPath, accelerator: undefined });
    const { works, notes, problems } = await faulty.driver.probe(signal());
    assert.deepEqual(problems, []);
    assert.equal(works, true);
    assert.match(notes?.join(" ") ?? "", /emulated.*\/dev\/kvm opens, but no kernel boots with it/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

/** Sends a signal to QEMU itself. */
function process(host: ConformanceHost, signal: Deno.Signal): void {
  const pids = host.cgroup.processes().filter((pid) =>
    Deno.readTextFileSync(`/proc/${pid}/comm`).startsWith("qemu")
  );
  assert.equal(pids.length, 1);
  Deno.kill(pids[0], signal);
}

import { strict as assert } from "node:assert";
import { ConformanceHost } from "./conformance_host.ts";
import type { ConformanceOptions } from "./conformance.ts";
import type { Machine, MachineExit } from "./driver.ts";
import { sleep } from "./sleep.ts";

const MiB = 1024 * 1024;
const STEP_MS = 60_000;

interface Fault {
  what: string;
  cause(parts: { host: ConformanceHost; machine: Machine; vital: number }): Promise<void> | void;
  reason: MachineExit["reason"];
  detail: RegExp;
}

/** What a guest's root writes to its kernel, from a program that outlives the connection. */
const sysrq = (key: string) => ({ host }: { host: ConformanceHost }) => {
  host.shell(`(sleep 0.2; echo ${key} > /proc/sysrq-trigger) > /dev/null 2>&1 &`).catch(() => {});
};

const faults: Fault[] = [
  {
    what: "the guest's kernel panics",
    cause: sysrq("c"),
    reason: "crashed",
    detail: /kernel panicked/,
  },
  {
    what: "the guest restarts itself",
    cause: sysrq("b"),
    reason: "guest_exited",
    detail: /restarted itself/,
  },
  {
    what: "the guest switches itself off",
    cause: sysrq("o"),
    reason: "guest_exited",
    detail: /switched itself off/,
  },
  {
    what: "the VMM hangs",
    cause: ({ vital }) => Deno.kill(vital, "SIGSTOP"),
    reason: "crashed",
    detail: /hung/,
  },
  {
    what: "the VMM runs out of the memory it may have",
    cause: ({ host }) => {
      const memoryBytes = host.cgroup.memoryBytes() + 16 * MiB;
      host.cgroup.create({ memoryBytes, pids: 1024 });
      host.shell("head -c 120M /dev/zero | tail", 0).catch(() => {});
    },
    reason: "out_of_memory",
    detail: /more memory than it may/,
  },
];

/**
 * Registers the test of how a virtual machine ends when something goes wrong in it or with its VMM: each
 * time one of two siblings, with the reason, and without anything left. The driver has to be one that
 * gives up on a silent VMM within seconds.
 */
export function registerVmFaultConformance(options: ConformanceOptions): void {
  const deadlineMs = STEP_MS + (options.bootMs ?? 0);
  const within = () => AbortSignal.timeout(deadlineMs);
  Deno.test(`${options.name}: whatever ends a machine ends that one, with its reason`, async (context) => {
    await using stack = new AsyncDisposableStack();
    const make = async (prefix: string) => {
      const path = await Deno.makeTempDir({ prefix });
      stack.defer(() => Deno.remove(path, { recursive: true }));
      return path;
    };
    const driver = options.createDriver(await make("paddock-conformance-state-"));
    const checkpoint = { directory: `${await make("paddock-conformance-checkpoints-")}/one` };
    const image = await options.image();
    const { machineMemoryBytes } = driver.traits;
    const newHost = async () =>
      stack.use(
        await ConformanceHost.create({ image, bootMs: options.bootMs, machineMemoryBytes }),
      );
    const keep = (machine: Machine) => {
      stack.defer(() => machine.stop());
      return machine;
    };
    const host = await newHost();
    const original = keep(await driver.launch(host.spec, within()));
    await host.shell("true");
    await original.checkpoint(checkpoint.directory, within());

    for (const { what, cause, reason, detail } of faults) {
      await context.step(what, async () => {
        const host = await newHost();
        await Deno.remove(host.spec.diskImage);
        const machine = keep(await driver.restore(host.spec, checkpoint, within()));
        await host.shell("true");
        const [vital] = host.cgroup.processes().filter((pid) => options.isVital(commandLine(pid)));
        await cause({ host, machine, vital });
        const exit = await Promise.race([machine.exited, sleep(deadlineMs).then(() => undefined)]);
        assert.ok(exit, "the machine has not ended");
        assert.equal(exit.reason, reason, exit.detail);
        assert.match(exit.detail ?? "", detail);
        await machine.stop();
        assert.deepEqual(host.leftovers(), []);
      });
    }
    assert.equal(await host.shell("echo the sibling runs on"), "the sibling runs on\n");
  });
}

function commandLine(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
  } catch {
    return "";
  }
}

import { ensureImage } from "../../images/build_image.ts";
import { defaultDataDir } from "../../images/image_store.ts";
import { ConformanceHost } from "../../packages/driver/conformance_host.ts";
import type { Machine } from "@paddock/driver";
import { figure, percentile } from "../figure.ts";
import { findDriver, inLab, stepMs } from "../machine_drivers.ts";
import type { MachineScenario } from "../scenario.ts";

const bootedLine = "the first program runs";

/**
 * A Firecracker by itself, without engine and agent: from its start to the guest's first program, from
 * the start of a restore to the first answer over the network, and the memory that the VMM holds beside
 * its guest's.
 */
const firecracker: MachineScenario = async ({ quick, say }) => {
  const dataDir = Deno.env.get("PADDOCK_DATA_DIR") || defaultDataDir;
  const found = await findDriver("firecracker", {
    dataDir,
    stateDir: `${dataDir}/bench-firecracker`,
  });
  if ("reason" in found) {
    say(`skipped: ${found.reason}`);
    return [];
  }
  const { driver } = found;
  const image = await ensureImage({ dataDir });
  await driver.prepare(image, AbortSignal.timeout(stepMs));
  const rounds = quick ? 3 : inLab ? 5 : 20;
  const newHost = async () => {
    const { machineMemoryBytes } = driver.traits;
    const host = await ConformanceHost.create({ image, machineMemoryBytes, bootMs: stepMs });
    const { init } = host.spec;
    init.args = ["/bin/sh", "-c", `echo ${bootedLine}; exec "$@"`, "sh", ...init.args];
    return host;
  };

  await using checkpoints = await temporaryDirectory();
  const checkpoint = { directory: `${checkpoints.path}/one` };
  const boots: number[] = [];
  for (let round = 0; round < (quick || inLab ? 2 : rounds); round++) {
    await using host = await newHost();
    const start = performance.now();
    const machine = await driver.launch(host.spec, AbortSignal.timeout(stepMs));
    try {
      await consoleSays(machine, bootedLine);
      boots.push(performance.now() - start);
      say(`boot ${round + 1}: ${boots.at(-1)!.toFixed(0)} ms`);
      if (round > 0) continue;
      await host.shell("true");
      const { pausedMs } = await machine.checkpoint(
        checkpoint.directory,
        AbortSignal.timeout(stepMs),
      );
      say(`a full checkpoint took the guest ${pausedMs.toFixed(0)} ms`);
    } finally {
      await machine.stop();
    }
  }

  const restores: number[] = [];
  const overheads: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await using host = await newHost();
    await Deno.remove(host.spec.diskImage);
    const start = performance.now();
    const machine = await driver.restore(host.spec, checkpoint, AbortSignal.timeout(stepMs));
    try {
      await host.shell("true");
      restores.push(performance.now() - start);
      overheads.push(overheadMib(host.cgroup.processes()));
      say(
        `restore ${round + 1}: ${restores.at(-1)!.toFixed(0)} ms, ${overheads.at(-1)} MiB beside`,
      );
    } finally {
      await machine.stop();
    }
  }
  const measured = (metric: string, unit: string, value: number, than: number) =>
    figure({ scenario: "firecracker", metric: inLab ? `${metric}_in_kvm_lab` : metric, unit }, {
      value,
      ...(inLab ? {} : { target: { on: "value", at: "most", than } as const }),
    });
  return [
    measured("boot_to_first_program_p50", "ms", percentile(boots, 50), 125),
    measured("restore_to_first_answer_p50", "ms", percentile(restores, 50), 50),
    measured("vmm_overhead_p50", "MiB", percentile(overheads, 50), 5),
  ];
};
export default firecracker;
export const withoutServer = true as const;

async function consoleSays(machine: Machine, text: string): Promise<void> {
  const end = performance.now() + stepMs;
  while (!machine.console().includes(text)) {
    if (performance.now() > end) throw new Error(`the guest did not boot in ${stepMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** What Firecracker has in memory less its guest's memory, which is its largest mapping. */
function overheadMib(pids: number[]): number {
  for (const pid of pids) {
    const smaps = readIfPresent(`/proc/${pid}/smaps`);
    if (!readIfPresent(`/proc/${pid}/comm`).startsWith("firecracker")) continue;
    const mappings = smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).map((text) => ({
      size: kilobytes(text, "Size"),
      resident: kilobytes(text, "Rss"),
    }));
    const guest = mappings.reduce((most, one) => one.size > most.size ? one : most);
    const all = mappings.reduce((sum, { resident }) => sum + resident, 0);
    return Math.round((all - guest.resident) / 1024 * 100) / 100;
  }
  throw new Error("the machine has no Firecracker");
}

function kilobytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
}

function readIfPresent(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

async function temporaryDirectory(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "paddock-bench-firecracker-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

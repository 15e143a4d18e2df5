import type { Driver, DriverName, Machine } from "@paddock/driver";
import { ensureImage } from "../../images/build_image.ts";
import { defaultDataDir } from "../../images/image_store.ts";
import { ConformanceHost } from "../../packages/driver/conformance_host.ts";
import { type Figure, figure, percentile } from "../figure.ts";
import { findDriver, inLab, stepMs } from "../machine_drivers.ts";
import { pssOfProcess } from "../pss.ts";
import type { MachineScenario } from "../scenario.ts";

const DRIVERS: DriverName[] = ["gvisor", "qemu", "firecracker"];
const IDLE_MS = 5_000;

/** Each program prints what it took by its own clock, in milliseconds, and nothing else. */
const LOOP = "const t = performance.now(); let x = 0; " +
  "for (let i = 0; i < 2e7; i++) x = (x * 31 + i) | 0; console.log(performance.now() - t)";
const CALLS = 20_000;
const timed = (work: string) =>
  `import os, time\nt = time.perf_counter()\nfor _ in range(${CALLS}): ${work}\n` +
  "print((time.perf_counter() - t) * 1000)";
const PLAIN_CALL = timed("os.getppid()");
const FILE_CALLS = timed('os.close(os.open("/etc/hostname", os.O_RDONLY))');

/**
 * The drivers of this host side by side, each machine by itself without engine and agent: what it takes
 * to boot one, to restore and to fork it, until a small program in it answers over the network; how fast
 * JavaScript and system calls are in it, beside the same programs on the host; and what it has in memory.
 */
const drivers: MachineScenario = async ({ quick, say }) => {
  const dataDir = Deno.env.get("PADDOCK_DATA_DIR") || defaultDataDir;
  const stateDir = await Deno.makeTempDir({ prefix: "paddock-bench-drivers-" });
  try {
    const image = await ensureImage({ dataDir });
    // The lab has the image as a drive only, and a Python of its own.
    const hasTree = await Deno.stat(`${image.rootfs}/usr/bin`).then(() => true, () => false);
    const native = await speeds((program, args) =>
      program === "deno"
        ? run(Deno.execPath(), args)
        : hasTree
        ? run("chroot", [image.rootfs, `/usr/bin/${program}`, ...args])
        : run(program, args)
    );
    const figures: Figure[] = [];
    for (const name of DRIVERS) {
      const found = await findDriver(name, { dataDir, stateDir: `${stateDir}/${name}` });
      if ("reason" in found) {
        say(`${name} is left out: ${found.reason}`);
        continue;
      }
      for (const note of found.notes ?? []) say(`${name}: ${note}`);
      await found.driver.prepare(image, AbortSignal.timeout(stepMs));
      const rounds = quick || inLab ? 2 : 7;
      const measured = await measure(found.driver, { image, rounds, directory: stateDir, say });
      const named = (metric: string, unit: string) => ({
        ...{ scenario: "drivers", unit },
        metric: `${name}_${metric}${inLab ? "_in_kvm_lab" : ""}`,
      });
      const p50 = (samples: number[]) => ({ value: percentile(samples, 50) });
      figures.push(
        figure(named("boot_to_answer_p50", "ms"), p50(measured.boots)),
        figure(named("restore_to_answer_p50", "ms"), p50(measured.restores)),
        figure(named("fork_to_answer_p50", "ms"), p50(measured.forks)),
        figure(named("original_stands_still_p50", "ms"), p50(measured.silences)),
        figure(named("js_loop_speed", "loops/s"), {
          value: 1_000 / measured.speeds.loop,
          floor: 1_000 / native.loop,
        }),
        figure(named("system_call", "µs"), {
          value: measured.speeds.plainCall * 1_000 / CALLS,
          floor: native.plainCall * 1_000 / CALLS,
        }),
        figure(named("open_and_close", "µs"), {
          value: measured.speeds.fileCalls * 1_000 / CALLS,
          floor: native.fileCalls * 1_000 / CALLS,
        }),
        figure(named("pss_booted", "MB"), p50(measured.bootedBytes.map(toMB))),
        figure(named("pss_restored", "MB"), p50(measured.restoredBytes.map(toMB))),
      );
    }
    return figures;
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
};
export default drivers;
export const withoutServer = true as const;

interface MeasureOptions {
  image: { digest: string; rootfs: string };
  rounds: number;
  directory: string;
  say(line: string): void;
}

async function measure(driver: Driver, { image, rounds, directory, say }: MeasureOptions) {
  const within = () => AbortSignal.timeout(stepMs);
  const { machineMemoryBytes, diskInCheckpoint } = driver.traits;
  const newHost = () => ConformanceHost.create({ image, machineMemoryBytes, bootMs: stepMs });
  const results = {
    ...{ boots: [] as number[], restores: [] as number[], forks: [] as number[] },
    ...{ silences: [] as number[], bootedBytes: [] as number[], restoredBytes: [] as number[] },
  };
  const restored = async (from: string) => {
    const host = await newHost();
    if (diskInCheckpoint) await Deno.remove(host.spec.diskImage);
    const start = performance.now();
    let machine: Machine | undefined;
    try {
      machine = await driver.restore(host.spec, { directory: from }, within());
      await host.shell("true");
      return { ms: performance.now() - start, host, machine };
    } catch (error) {
      await machine?.stop();
      await host[Symbol.asyncDispose]();
      throw error;
    }
  };

  let speedsOfGuest: Speeds | undefined;
  for (let round = 0; round < rounds; round++) {
    await using host = await newHost();
    const start = performance.now();
    const machine = await driver.launch(host.spec, within());
    const checkpoint = `${directory}/checkpoint`;
    try {
      await host.shell("true");
      results.boots.push(performance.now() - start);
      await idle();
      results.bootedBytes.push(await pssOf(host));
      const forkStart = performance.now();
      const { pausedMs } = await machine.checkpoint(checkpoint, within());
      const written = performance.now() - forkStart;
      results.silences.push(pausedMs);
      for (const kind of ["fork", "restore"] as const) {
        const copy = await restored(checkpoint);
        await using _host = copy.host;
        try {
          if (kind === "fork") results.forks.push(written + copy.ms);
          else {
            results.restores.push(copy.ms);
            await idle();
            results.restoredBytes.push(await pssOf(copy.host));
          }
        } finally {
          await copy.machine.stop();
        }
      }
      speedsOfGuest ??= await speeds((program, args) =>
        host.shell([program, ...args].map(quoted).join(" "), stepMs)
      );
      say(
        `${driver.name} ${round + 1}/${rounds}: boot ${results.boots.at(-1)!.toFixed(0)} ms, ` +
          `restore ${results.restores.at(-1)!.toFixed(0)} ms, fork ${
            results.forks.at(-1)!.toFixed(0)
          } ms`,
      );
    } finally {
      await machine.stop();
      await Deno.remove(checkpoint, { recursive: true }).catch(() => {});
    }
  }
  return { ...results, speeds: speedsOfGuest! };
}

type Run = (program: "deno" | "python3", args: string[]) => Promise<string>;

interface Speeds {
  loop: number;
  plainCall: number;
  fileCalls: number;
}

/** The best of three of each, in milliseconds. */
async function speeds(run: Run): Promise<Speeds> {
  const best = async (program: "deno" | "python3", args: string[]) => {
    const times: number[] = [];
    for (let i = 0; i < (inLab ? 1 : 3); i++) {
      const said = await run(program, args);
      const time = Number(said.trim());
      if (!(time > 0)) throw new Error(`${program} says ${JSON.stringify(said.slice(0, 500))}`);
      times.push(time);
    }
    return Math.min(...times);
  };
  return {
    loop: await best("deno", ["eval", LOOP]),
    plainCall: await best("python3", ["-c", PLAIN_CALL]),
    fileCalls: await best("python3", ["-c", FILE_CALLS]),
  };
}

async function run(program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
  return text;
}

/** For the guest's shell, which is sent one line. */
function quoted(word: string): string {
  return word.includes("\n")
    ? `"$(printf '%b' '${word.replaceAll("\n", "\\n").replaceAll("'", `'\\''`)}')"`
    : `'${word.replaceAll("'", `'\\''`)}'`;
}

const idle = () => new Promise((resolve) => setTimeout(resolve, inLab ? 1_000 : IDLE_MS));
const toMB = (bytes: number) => bytes / 1e6;

/** Every process of a machine is in its cgroup; what it shares with others counts by its part. */
async function pssOf(host: ConformanceHost): Promise<number> {
  const each = await Promise.all(host.cgroup.processes().map(pssOfProcess));
  return each.reduce((sum, bytes) => sum + bytes, 0);
}

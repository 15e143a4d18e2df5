import { PaddockError } from "@paddock/protocol";
import {
  abortable,
  Cgroup,
  type Checkpoint,
  ConsoleLog,
  type Driver,
  type DriverTraits,
  type LaunchSpec,
  type Log,
  type Machine,
  type ProbeResult,
  type ReapReport,
  silentLog,
  volumeImages,
} from "@paddock/driver";
import { type Bundle, writeBundle } from "./_bundle.ts";
import { GvisorMachine } from "./_gvisor_machine.ts";
import { launchArguments, type LaunchCommand, type MachineInit } from "./_launch_command.ts";
import { machineInit } from "./_machine_init.ts";
import { MachineRegistry } from "./_machine_registry.ts";
import { probeGvisor } from "./_probe.ts";

/** How gVisor catches the guest's system calls. `kvm` needs a /dev/kvm that runs kernels. */
export type GvisorPlatform = "ptrace" | "systrap" | "kvm";

export interface GvisorDriverOptions {
  /** Where the driver keeps what it must remember to end machines an earlier daemon left. */
  stateDir: string;
  runscPath?: string;
  platform?: GvisorPlatform;
  log?: Log;
}

const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
};

/** What runsc leaves of a machine. */
const CHECKPOINT_FILES = ["checkpoint.img", "pages.img", "pages_meta.img"];

const NET_CORE_MARK = "/proc/sys/net/core/rmem_default";

export function createGvisorDriver(options: GvisorDriverOptions): Driver {
  return new GvisorDriver(options);
}

class GvisorDriver implements Driver {
  readonly name = "gvisor";
  readonly traits: DriverTraits = {
    ...{ memoryFixed: false, diskInCheckpoint: false, layersFixed: false },
    volumeFormat: "host_ext4",
  };
  readonly #runsc: string;
  readonly #platform: GvisorPlatform;
  readonly #log: Log;
  readonly #registry: MachineRegistry;
  /** Until a probe has seen what this runsc needs, hiding is right: it harms no version. */
  #hideNetCore: boolean | undefined;

  constructor(options: GvisorDriverOptions) {
    this.#runsc = options.runscPath ?? "runsc";
    this.#platform = options.platform ?? "ptrace";
    this.#log = options.log ?? silentLog;
    this.#registry = new MachineRegistry(options.stateDir);
  }

  async probe(signal: AbortSignal): Promise<ProbeResult> {
    const { result, hideNetCore } = await probeGvisor(
      { runsc: this.#runsc, platform: this.#platform },
      signal,
    );
    if (result.works) this.#hideNetCore = hideNetCore;
    await machineInit().catch((error) => {
      (result.notes ??= []).push(
        `Each sandbox takes 4 MB more than it has to: tcc cannot compile machine_init.c (${error}).`,
      );
    });
    return result;
  }

  async launch(spec: LaunchSpec, signal: AbortSignal): Promise<Machine> {
    const command = ({ path }: Bundle, detached: string[]) => [
      ...["run", ...detached, "--bundle", path, spec.id],
    ];
    return (await this.#start(spec, { command }, signal)).machine;
  }

  async restore(
    spec: LaunchSpec,
    { directory, written }: Checkpoint,
    signal: AbortSignal,
  ): Promise<Machine> {
    if (written === undefined) {
      refuseIncomplete(directory);
      const image = ["--image-path", directory];
      const command = ({ path }: Bundle, detached: string[]) => [
        ...["restore", ...detached, ...image, "--bundle", path, spec.id],
      ];
      return (await this.#start(spec, { command }, signal)).machine;
    }
    const later = { id: spec.id, image: directory };
    const { machine, child } = await this.#start(spec, { command: () => [], later }, signal);
    try {
      await abortable(written, signal);
      refuseIncomplete(directory);
      await tell(child);
      return machine;
    } catch (error) {
      await machine.stop();
      await child.stdin.close().catch(() => {});
      throw error;
    }
  }

  async #start(
    spec: LaunchSpec,
    { command, later }: {
      command: (bundle: Bundle, detached: string[]) => string[];
      later?: LaunchCommand["later"];
    },
    signal: AbortSignal,
  ): Promise<{ machine: GvisorMachine; child: Deno.ChildProcess }> {
    signal.throwIfAborted();
    const cgroup = new Cgroup(spec.cgroup.path);
    const bundle = await writeBundle(spec);
    const init = await this.#init(bundle);
    signal.throwIfAborted();
    this.#registry.add({ id: spec.id, cgroup: spec.cgroup.path });
    const log = new ConsoleLog(`${spec.workDir}/console.log`, spec.logBytes);
    try {
      const child = new Deno.Command("sh", {
        args: launchArguments({
          cgroupDirectories: cgroup.directories,
          netns: `/run/netns/${spec.network.namespace}`,
          bundle: bundle.path,
          scratch: bundle.scratch,
          hideNetCore: this.#hideNetCore ?? exists(NET_CORE_MARK),
          init,
          runsc: [
            ...[this.#runsc, ...this.#flags(bundle.overlay)],
            ...command(bundle, init ? ["--detach", "--pid-file", init.pidFile] : []),
          ],
          later,
        }),
        clearEnv: true,
        env: ENVIRONMENT,
        stdin: later ? "piped" : "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      this.#log.debug("machine started", { sandbox: spec.id, pid: child.pid });
      const machine = new GvisorMachine({
        id: spec.id,
        child,
        cgroup,
        log,
        runsc: [this.#runsc, "--root", this.#registry.runscRoot],
        // Those that are written to: what was written must be in them when the machine has ended.
        volumeImages: volumeImages(spec).filter((it) => !it.readOnly).map((it) => it.image),
        hasVolumes: volumeImages(spec).length > 0,
        forget: () => this.#registry.remove(spec.id),
      });
      return { machine, child };
    } catch (error) {
      log.close();
      await this.#registry.remove(spec.id);
      throw new PaddockError("DRIVER_FAILED", { cause: error });
    }
  }

  prepare(): Promise<void> {
    // The sentry reads the image's directory itself.
    return Promise.resolve();
  }

  /** Undefined where it cannot be compiled: machines run without, and take some megabytes more. */
  async #init(bundle: Bundle): Promise<MachineInit | undefined> {
    let content: Uint8Array<ArrayBuffer>;
    try {
      content = await machineInit();
    } catch (error) {
      this.#log.debug("runsc waits for its machines itself", { error: String(error) });
      return undefined;
    }
    const init = { program: `${bundle.path}/machine_init`, pidFile: `${bundle.path}/sentry.pid` };
    await Deno.writeFile(init.program, content, { mode: 0o700 });
    return init;
  }

  #flags(overlay: string): string[] {
    return [
      ...["--root", this.#registry.runscRoot],
      // The machine's own messages go where its console goes, and are bounded with it.
      ...["--log", "/dev/stderr", "--log-format", "text"],
      ...["--panic-log", "/dev/stderr"],
      ...["--platform", this.#platform],
      // The cgroup is the engine's, and everything started here is in it already.
      "--ignore-cgroups",
      "--net-disconnect-ok",
      `--overlay2=${overlay}`,
    ];
  }

  async reap(signal: AbortSignal): Promise<ReapReport> {
    return { machines: await this.#registry.reap(signal) };
  }
}

function refuseIncomplete(directory: string): void {
  for (const name of CHECKPOINT_FILES) {
    if (exists(`${directory}/${name}`)) continue;
    throw new PaddockError("RESTORE_FAILED", {
      cause: new Error(`there is no ${name} in ${directory}`),
    });
  }
}

/** One that has ended meanwhile is not told; its exit says why. */
async function tell(child: Deno.ChildProcess): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode("\n"));
    await writer.close();
  } catch {
    // Nobody reads.
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

import { PaddockError } from "@paddock/protocol";
import {
  Cgroup,
  type Driver,
  type LaunchSpec,
  type Log,
  type Machine,
  type ProbeResult,
  type ReapReport,
  silentLog,
} from "@paddock/driver";
import { writeBundle } from "./_bundle.ts";
import { ConsoleLog } from "./_console_log.ts";
import { GvisorMachine } from "./_gvisor_machine.ts";
import { launchArguments } from "./_launch_command.ts";
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

const NET_CORE_MARK = "/proc/sys/net/core/rmem_default";

export function createGvisorDriver(options: GvisorDriverOptions): Driver {
  return new GvisorDriver(options);
}

class GvisorDriver implements Driver {
  readonly name = "gvisor";
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
    return result;
  }

  async launch(spec: LaunchSpec, signal: AbortSignal): Promise<Machine> {
    signal.throwIfAborted();
    const cgroup = new Cgroup(spec.cgroup.path);
    const bundle = await writeBundle(spec);
    signal.throwIfAborted();
    this.#registry.add({ id: spec.id, cgroup: spec.cgroup.path });
    const log = new ConsoleLog(`${spec.workDir}/console.log`, spec.logBytes);
    try {
      const child = new Deno.Command("sh", {
        args: launchArguments({
          cgroupDirectories: cgroup.directories,
          netns: `/run/netns/${spec.network.namespace}`,
          fstab: bundle.fstab,
          hideNetCore: this.#hideNetCore ?? exists(NET_CORE_MARK),
          runsc: [
            this.#runsc,
            ...this.#flags(`root:dir=${bundle.diskMount}`),
            ...["run", "--bundle", bundle.path, spec.id],
          ],
        }),
        clearEnv: true,
        env: ENVIRONMENT,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      this.#log.debug("machine started", { sandbox: spec.id, pid: child.pid });
      return new GvisorMachine({
        id: spec.id,
        child,
        cgroup,
        log,
        forget: () => this.#registry.remove(spec.id),
      });
    } catch (error) {
      log.close();
      await this.#registry.remove(spec.id);
      throw new PaddockError("DRIVER_FAILED", { cause: error });
    }
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

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

import { type Cgroup, type ConsoleLog, type Log, type NetworkSlot } from "@paddock/driver";
import { tapNetwork } from "@paddock/driver/vm";
import { launchArguments } from "./_launch_command.ts";
import { QEMU_IN_VIEW, type ViewFiles, writeView } from "./_machine_view.ts";
import { QmpClient, type QmpEvent } from "./qmp_client.ts";
import { withoutNotices } from "./_without_notices.ts";

export interface QemuProcessOptions {
  qemu: string;
  arguments: string[];
  files: ViewFiles;
  workDir: string;
  network: NetworkSlot;
  cgroup: Cgroup;
  uid: number;
  console: ConsoleLog;
  log: Log;
  onEvent?: (event: QmpEvent) => void;
}

export interface QemuProcess {
  child: Deno.ChildProcess;
  control: QmpClient;
  /** Settles when nothing more comes from the console. */
  drained: Promise<void>;
}

const ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** Starts QEMU in the sandbox's cgroup and namespaces; it need not have come up when this returns. */
export function startQemu(options: QemuProcessOptions): QemuProcess {
  const { workDir, network, uid } = options;
  const view = writeView(workDir, options.qemu, options.files);
  const child = new Deno.Command("sh", {
    args: launchArguments({
      cgroupDirectories: options.cgroup.directories,
      netns: `/run/netns/${network.namespace}`,
      root: view.root,
      fstab: view.fstab,
      uid,
      network: tapNetwork(network, uid),
      qemu: [QEMU_IN_VIEW, ...options.arguments],
    }),
    clearEnv: true,
    env: ENVIRONMENT,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const drained = options.console.drain(child.stderr.pipeThrough(withoutNotices()));
  const control = new QmpClient(child.stdout, child.stdin, options.onEvent);
  return { child, control, drained };
}

import { PaddockError } from "@paddock/protocol";
import {
  abortable,
  Cgroup,
  type Checkpoint,
  ConsoleLog,
  type Driver,
  type LaunchSpec,
  type Log,
  type Machine,
  type MachineImage,
  type ProbeResult,
  type ReapReport,
  type RootVolume,
  silentLog,
  volumeImages,
} from "@paddock/driver";
import {
  copySparse,
  formatDisk,
  GUEST_NETWORK,
  launchConfig,
  layersImage,
  lendVolumes,
  machineBytesFor,
  MachineNotes,
  refuseTooMany,
  rootImage,
  tapNetwork,
  type VmBoot,
} from "@paddock/driver/vm";
import { CHECKPOINT_FILES, readManifest } from "./_checkpoint_files.ts";
import { DRIVES, drives, MOST_VOLUMES, volumeMounts } from "./_drives.ts";
import { FirecrackerMachine } from "./_firecracker_machine.ts";
import { HaltWatch } from "./_halt_watch.ts";
import { Jail, JAIL_FILES, type JailMount } from "./_jail.ts";
import { kernelArguments } from "./_kernel_arguments.ts";
import { probeFirecracker } from "./_probe.ts";
import { diskLimiter, networkLimiter } from "./_rate_limits.ts";
import { killVmm, startVmm, type Vmm } from "./_vmm.ts";

export interface FirecrackerDriverOptions {
  /** Where the driver keeps what it must remember to end machines an earlier daemon left. */
  stateDir: string;
  /** Where it keeps packed layers, which machines share. */
  cacheDir: string;
  /** Both of one version; `findFirecracker` knows what was installed. */
  firecrackerPath: string;
  jailerPath: string;
  /** What machines boot; `images/vm` builds it. */
  boot: VmBoot;
  /** The first of the host's users that machines run as, one for each network slot. */
  firstUid?: number;
  /** How long Firecracker may take to answer before it counts as hung. */
  answerMs?: number;
  /** How long the probe waits for a kernel to boot. */
  bootMs?: number;
  log?: Log;
}

const MiB = 1024 * 1024;
/** Firecracker itself, and what the guest's kernel takes beside the memory. */
const MACHINE_MEMORY_BYTES = 64 * MiB;
const ANSWER_MS = 30_000;
/** Users that own nothing on a host: below what systemd hands out to nobody else. */
const FIRST_UID = 0x7000_0000;
/** Network slots that a host may have; the user after them runs probes. */
const SLOTS = 0x1_0000;
const INTERFACE = "eth0";
const STATISTICS_EVERY_S = 1;

export function createFirecrackerDriver(options: FirecrackerDriverOptions): Driver {
  return new FirecrackerDriver(options);
}

interface StartOptions {
  mounts: JailMount[];
  /** What outlives the machine. */
  volumes?: RootVolume[];
  files: Record<string, Uint8Array[]>;
  layers: string;
  base?: string;
  /** Sets the machine up and lets it run. */
  begin(vmm: Vmm): Promise<void>;
}

class FirecrackerDriver implements Driver {
  readonly name = "firecracker";
  readonly traits = {
    memoryFixed: true,
    diskInCheckpoint: true,
    layersFixed: true,
    machineMemoryBytes: MACHINE_MEMORY_BYTES,
    ownClock: true,
    volumeFormat: "guest_block",
  } as const;
  readonly #options: FirecrackerDriverOptions;
  readonly #firstUid: number;
  readonly #log: Log;
  readonly #notes: MachineNotes;

  constructor(options: FirecrackerDriverOptions) {
    this.#options = options;
    this.#firstUid = options.firstUid ?? FIRST_UID;
    this.#log = options.log ?? silentLog;
    this.#notes = new MachineNotes(options.stateDir);
  }

  probe(signal: AbortSignal): Promise<ProbeResult> {
    const { firecrackerPath: firecracker, jailerPath: jailer, boot, bootMs } = this.#options;
    const uid = this.#firstUid + SLOTS;
    return probeFirecracker({ firecracker, jailer, boot, bootMs, uid }, signal);
  }

  async prepare(image: MachineImage, signal: AbortSignal): Promise<void> {
    await rootImage(image, signal);
  }

  async launch(spec: LaunchSpec, signal: AbortSignal): Promise<Machine> {
    signal.throwIfAborted();
    const volumes = volumeImages(spec);
    refuseTooMany(this.name, MOST_VOLUMES, volumes);
    const [root, layers, initramfs] = await Promise.all([
      rootImage(spec.image, signal),
      layersImage(spec.layers, this.#options.cacheDir, signal),
      Deno.readFile(this.#options.boot.initramfs),
      formatDisk(spec.diskImage, signal),
    ]);
    const call = { signal, deadlineMs: this.#options.answerMs ?? ANSWER_MS };
    const jailed = this.#jail(spec);
    return await this.#start(spec, jailed, signal, {
      mounts: [
        mount(this.#options.boot.vmlinux, JAIL_FILES.kernel),
        mount(root.path, JAIL_FILES.root),
        mount(layers.path, JAIL_FILES.layers),
        { source: spec.diskImage, target: JAIL_FILES.disk, readOnly: false },
        ...volumeMounts(volumes),
      ],
      volumes,
      files: {
        [JAIL_FILES.initramfs]: [initramfs, launchConfig(spec, { by: "b", wish: "keyboard" })],
      },
      layers: layers.path,
      begin: async ({ api }) => {
        await api.bootSource({
          kernel_image_path: JAIL_FILES.kernel,
          initrd_path: JAIL_FILES.initramfs,
          boot_args: kernelArguments({ keyboard: volumes.length > 0 }),
        }, call);
        await api.machineConfig({
          vcpu_count: 1,
          mem_size_mib: machineBytesFor(spec.memoryBytes) / MiB,
          track_dirty_pages: false,
        }, call);
        for (const drive of drives(volumes, diskLimiter(spec.rateLimits))) {
          await api.drive(drive, call);
        }
        const network = networkLimiter(spec.rateLimits);
        await api.networkInterface({
          iface_id: INTERFACE,
          host_dev_name: GUEST_NETWORK.tap,
          guest_mac: GUEST_NETWORK.guestMac,
          ...(network ? { rx_rate_limiter: network, tx_rate_limiter: network } : {}),
        }, call);
        await api.balloon({
          amount_mib: 0,
          deflate_on_oom: true,
          stats_polling_interval_s: STATISTICS_EVERY_S,
        }, call);
        await api.entropy(call);
        await api.action("InstanceStart", call);
        // Firecracker has read it, and it holds what only the guest is to know.
        await Deno.remove(jailed.path(JAIL_FILES.initramfs));
      },
    });
  }

  async restore(spec: LaunchSpec, checkpoint: Checkpoint, signal: AbortSignal): Promise<Machine> {
    await abortable(Promise.resolve(checkpoint.written), signal);
    const at = (name: keyof typeof CHECKPOINT_FILES) =>
      `${checkpoint.directory}/${CHECKPOINT_FILES[name]}`;
    const [manifest, root] = await Promise.all([
      readManifest(checkpoint.directory),
      rootImage(spec.image, signal),
    ]);
    if (manifest.memoryBytes !== spec.memoryBytes || manifest.image !== spec.image.digest) {
      throw new PaddockError("RESTORE_FAILED", {
        message: "The checkpoint is of a machine with another image or another memory size.",
      });
    }
    await copySparse(at("disk"), spec.diskImage, signal);
    const call = { signal, deadlineMs: this.#options.answerMs ?? ANSWER_MS };
    return await this.#start(spec, this.#jail(spec), signal, {
      mounts: [
        mount(root.path, JAIL_FILES.root),
        mount(at("layers"), JAIL_FILES.layers),
        mount(at("memory"), JAIL_FILES.memory),
        mount(at("state"), JAIL_FILES.state),
        { source: spec.diskImage, target: JAIL_FILES.disk, readOnly: false },
      ],
      files: {},
      layers: at("layers"),
      base: at("memory"),
      begin: async ({ api }) => {
        const limits = {
          disk: diskLimiter(spec.rateLimits),
          network: networkLimiter(spec.rateLimits),
        };
        const limited = limits.disk !== undefined || limits.network !== undefined;
        await api.loadSnapshot({
          snapshot_path: JAIL_FILES.state,
          // Mapped privately: machines of one checkpoint share what none of them has changed.
          mem_backend: { backend_type: "File", backend_path: JAIL_FILES.memory },
          track_dirty_pages: true,
          resume_vm: !limited,
          network_overrides: [{ iface_id: INTERFACE, host_dev_name: GUEST_NETWORK.tap }],
        }, call);
        if (!limited) return;
        // A snapshot brings the limits of the machine that it was made of.
        for (const drive_id of limits.disk ? Object.values(DRIVES) : []) {
          await api.driveLimit({ drive_id, rate_limiter: limits.disk! }, call);
        }
        if (limits.network) {
          await api.networkLimits({
            iface_id: INTERFACE,
            rx_rate_limiter: limits.network,
            tx_rate_limiter: limits.network,
          }, call);
        }
        await api.vmState("Resumed", call);
      },
    });
  }

  async reap(signal: AbortSignal): Promise<ReapReport> {
    return { machines: await this.#notes.reap(signal) };
  }

  #jail(spec: LaunchSpec): Jail {
    return new Jail({
      id: spec.id,
      workDir: spec.workDir,
      firecracker: this.#options.firecrackerPath,
      jailer: this.#options.jailerPath,
      uid: this.#firstUid + spec.network.index,
      netns: `/run/netns/${spec.network.namespace}`,
    });
  }

  async #start(
    spec: LaunchSpec,
    jail: Jail,
    signal: AbortSignal,
    options: StartOptions,
  ): Promise<Machine> {
    signal.throwIfAborted();
    await Deno.chown(spec.diskImage, jail.uid, jail.uid);
    const volumes = options.volumes ?? [];
    await lendVolumes(volumes, jail.uid);
    const cgroup = new Cgroup(spec.cgroup.path);
    this.#notes.add({ id: spec.id, cgroup: spec.cgroup.path });
    const console = new ConsoleLog(`${spec.workDir}/console.log`, spec.logBytes);
    const halt = new HaltWatch();
    let vmm: Vmm | undefined;
    try {
      vmm = await startVmm({
        ...{ jail, console, mounts: options.mounts, files: options.files },
        netns: `/run/netns/${spec.network.namespace}`,
        network: tapNetwork(spec.network, jail.uid),
        cgroupDirectories: cgroup.directories,
        onConsole: (chunk) => halt.see(chunk),
      }, signal);
      await options.begin(vmm);
    } catch (error) {
      if (vmm) killVmm(vmm.child);
      await cgroup.kill();
      await vmm?.child.status;
      halt[Symbol.dispose]();
      vmm?.release();
      console.close();
      await this.#notes.remove(spec.id);
      if (signal.aborted) throw signal.reason;
      throw new PaddockError(options.base === undefined ? "DRIVER_FAILED" : "RESTORE_FAILED", {
        message: `The machine could not be started: ${(error as Error).message}`,
        cause: error,
      });
    }
    const machine = new FirecrackerMachine({
      ...{ spec, vmm, jail, cgroup, console, halt },
      layers: options.layers,
      base: options.base,
      volumes,
      answerMs: this.#options.answerMs ?? ANSWER_MS,
      log: this.#log,
      forget: () => this.#notes.remove(spec.id),
    });
    halt.onHalt = () => machine.halted();
    this.#log.debug("machine started", { sandbox: spec.id, pid: machine.pid });
    return machine;
  }
}

function mount(source: string, target: string): JailMount {
  return { source, target, readOnly: true };
}

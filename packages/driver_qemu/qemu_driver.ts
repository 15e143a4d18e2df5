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
  launchConfig,
  layersImage,
  lendVolumes,
  machineBytesFor,
  MachineNotes,
  refuseTooMany,
  rootImage,
  type VmBoot,
} from "@paddock/driver/vm";
import { CHECKPOINT, readNote } from "./_checkpoint_files.ts";
import { kernelArguments } from "./_kernel_arguments.ts";
import {
  type Accelerator,
  machineArguments,
  MOST_VOLUMES,
  VIEW,
  volumeInView,
} from "./machine_arguments.ts";
import type { ViewFiles } from "./_machine_view.ts";
import { createOverlay } from "./qcow2.ts";
import { startQemu } from "./_qemu_process.ts";
import { type MachineSource, QemuMachine } from "./_qemu_machine.ts";
import { QemuHost } from "./_qemu_host.ts";

export interface QemuDriverOptions {
  /** Where the driver keeps what it must remember to end machines an earlier daemon left. */
  stateDir: string;
  /** Where packed layers are kept. Several drivers may share it. */
  cacheDir: string;
  /** What machines boot; `images/vm` builds it. */
  boot: VmBoot;
  qemuPath?: string;
  /** KVM where it boots a kernel, and emulation elsewhere, when not given. */
  accelerator?: Accelerator;
  /** How long QEMU may take to answer before it counts as hung. */
  answerMs?: number;
  log?: Log;
}

const MiB = 1024 * 1024;
/** QEMU itself, its cache of translated code, and what the guest's kernel takes beside the memory. */
const MACHINE_MEMORY_BYTES = 144 * MiB;
/** A kernel and a Deno that are emulated take 5 s on a quiet host, and many times that on a busy one. */
const EMULATED_BOOT_MS = 90_000;
const ANSWER_MS = 60_000;
/** Users that own nothing on a host: one for each network slot. */
const FIRST_UID = 0x7000_0000;
const START_DEADLINE_MS = 30_000;

export function createQemuDriver(options: QemuDriverOptions): Driver {
  return new QemuDriver(options);
}

class QemuDriver implements Driver {
  readonly name = "qemu";
  readonly traits = {
    memoryFixed: true,
    diskInCheckpoint: true,
    layersFixed: true,
    machineMemoryBytes: MACHINE_MEMORY_BYTES,
    slowBootMs: EMULATED_BOOT_MS,
    ownClock: true,
    volumeFormat: "guest_block",
  } as const;
  readonly #options: QemuDriverOptions;
  readonly #host: QemuHost;
  readonly #log: Log;
  readonly #notes: MachineNotes;

  constructor(options: QemuDriverOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#host = new QemuHost(options);
    this.#notes = new MachineNotes(options.stateDir);
  }

  probe(signal: AbortSignal): Promise<ProbeResult> {
    return this.#host.probe(signal);
  }

  async prepare(image: MachineImage, signal: AbortSignal): Promise<void> {
    await rootImage(image, signal);
  }

  async launch(spec: LaunchSpec, signal: AbortSignal): Promise<Machine> {
    signal.throwIfAborted();
    const volumes = volumeImages(spec);
    refuseTooMany(this.name, MOST_VOLUMES, volumes);
    const [root, layers, accelerator] = await Promise.all([
      rootImage(spec.image, signal),
      layersImage(spec.layers, this.#options.cacheDir, signal),
      this.#host.accelerator(signal),
      formatDisk(spec.diskImage, signal),
    ]);
    const machineBytes = machineBytesFor(spec.memoryBytes);
    const files = {
      initramfs: `${spec.workDir}/initramfs`,
      memory: `${spec.workDir}/memory`,
    };
    await this.#writeInitramfs(spec, files.initramfs);
    await createEmpty(files.memory, machineBytes);
    const machine = await this.#start(spec, signal, {
      accelerator,
      arguments: machineArguments({
        accelerator,
        memoryBytes: machineBytes,
        boot: { kernelArguments: await kernelArguments(accelerator, signal) },
        diskHasBase: false,
        volumes,
      }),
      volumes,
      readOnly: {
        [VIEW.root]: root.path,
        [VIEW.layers]: layers.path,
        [VIEW.memory]: files.memory,
        [VIEW.kernel]: this.#options.boot.bzImage ?? this.#options.boot.vmlinux,
        [VIEW.initramfs]: files.initramfs,
      },
      source: { machineBytes, memory: files.memory, layers: layers.path },
    });
    // QEMU has read it, and it holds what only the guest is to know.
    await Deno.remove(files.initramfs);
    return machine;
  }

  async restore(spec: LaunchSpec, checkpoint: Checkpoint, signal: AbortSignal): Promise<Machine> {
    await abortable(Promise.resolve(checkpoint.written), signal);
    const [root, accelerator, qemu] = await Promise.all([
      rootImage(spec.image, signal),
      this.#host.accelerator(signal),
      this.#host.version(signal),
    ]);
    const at = (name: string) => `${checkpoint.directory}/${name}`;
    const { memoryBytes, image: { digest: image } } = spec;
    const note = readNote(checkpoint.directory, { qemu, accelerator, memoryBytes, image });
    const { machineBytes } = note;
    const disk = await Deno.stat(at(CHECKPOINT.disk));
    await createOverlay(spec.diskImage, disk.size);
    const machine = await this.#start(spec, signal, {
      accelerator,
      arguments: machineArguments({ accelerator, memoryBytes: machineBytes, diskHasBase: true }),
      readOnly: {
        [VIEW.root]: root.path,
        [VIEW.layers]: at(CHECKPOINT.layers),
        [VIEW.memory]: at(CHECKPOINT.memory),
        [VIEW.baseDisk]: at(CHECKPOINT.disk),
        [VIEW.state]: at(CHECKPOINT.state),
      },
      source: {
        machineBytes,
        memory: at(CHECKPOINT.memory),
        baseDisk: at(CHECKPOINT.disk),
        layers: at(CHECKPOINT.layers),
      },
    });
    try {
      await machine.goOn(`file:${VIEW.state}`, signal);
      return machine;
    } catch (error) {
      const detail = machine.console().trim().slice(-500);
      await machine.stop();
      if (signal.aborted) throw signal.reason;
      throw new PaddockError("DRIVER_FAILED", {
        message: `The machine could not be restored: ${(error as Error).message}`,
        cause: detail,
      });
    }
  }

  async reap(signal: AbortSignal): Promise<ReapReport> {
    return { machines: await this.#notes.reap(signal) };
  }

  async #start(
    spec: LaunchSpec,
    signal: AbortSignal,
    parts: {
      accelerator: Accelerator;
      arguments: string[];
      readOnly: ViewFiles["readOnly"];
      volumes?: RootVolume[];
      source: MachineSource;
    },
  ): Promise<QemuMachine> {
    signal.throwIfAborted();
    const uid = FIRST_UID + spec.network.index;
    const run = `${spec.workDir}/run`;
    await Deno.mkdir(run, { mode: 0o700 });
    for (const path of [run, spec.diskImage]) await Deno.chown(path, uid, uid);
    const volumes = parts.volumes ?? [];
    await lendVolumes(volumes, uid);
    const seen = (wanted: boolean) =>
      Object.fromEntries(
        volumes.flatMap(({ image, readOnly }, index) =>
          readOnly === wanted ? [[volumeInView(index), image]] : []
        ),
      );
    const cgroup = new Cgroup(spec.cgroup.path);
    const console = new ConsoleLog(`${spec.workDir}/console.log`, spec.logBytes);
    const version = await this.#host.version(signal);
    this.#notes.add({ id: spec.id, cgroup: spec.cgroup.path });
    let machine: QemuMachine | undefined;
    try {
      signal.throwIfAborted();
      const process = startQemu({
        qemu: await this.#host.path(signal),
        arguments: parts.arguments,
        files: {
          readOnly: { ...parts.readOnly, ...seen(true) },
          writable: { [VIEW.disk]: spec.diskImage, [VIEW.run]: run, ...seen(false) },
        },
        ...{ workDir: spec.workDir, network: spec.network, cgroup, uid, console },
        log: this.#log,
        onEvent: (event) => machine?.take(event),
      });
      machine = new QemuMachine({
        spec,
        process,
        cgroup,
        console,
        source: parts.source,
        volumes,
        note: {
          format: 1,
          qemu: version,
          accelerator: parts.accelerator,
          memoryBytes: spec.memoryBytes,
          machineBytes: parts.source.machineBytes,
          image: spec.image.digest,
        },
        answerMs: this.#options.answerMs ?? ANSWER_MS,
        log: this.#log,
        forget: () => this.#notes.remove(spec.id),
      });
      await machine.open(START_DEADLINE_MS, signal);
      this.#log.debug("machine started", { sandbox: spec.id, pid: machine.pid });
      return machine;
    } catch (error) {
      if (machine) await machine.stop();
      else {
        console.close();
        await this.#notes.remove(spec.id);
      }
      if (signal.aborted) throw signal.reason;
      throw new PaddockError("DRIVER_FAILED", {
        message: "The machine could not be started: " +
          (machine?.console().trim().slice(-500) || (error as Error).message),
        cause: error,
      });
    }
  }

  async #writeInitramfs(spec: LaunchSpec, path: string): Promise<void> {
    // The file is left to the machine's user to read, in a directory that only root enters.
    await copySparse(this.#options.boot.initramfs, path, AbortSignal.timeout(30_000));
    await Deno.writeFile(path, launchConfig(spec, { by: "o", wish: "serial" }), { append: true });
    const uid = FIRST_UID + spec.network.index;
    await Deno.chmod(path, 0o400);
    await Deno.chown(path, uid, uid);
  }
}

async function createEmpty(path: string, bytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o644 });
  await file.truncate(bytes);
}

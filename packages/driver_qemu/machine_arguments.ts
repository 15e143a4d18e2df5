/** What QEMU is to run, with the paths that it sees. */
export interface MachineArguments {
  accelerator: Accelerator;
  /** Of the guest's memory. */
  memoryBytes: number;
  /** A fresh machine boots this; one that goes on needs none of it. */
  boot?: { kernelArguments: string };
  /** Whether the disk is a copy-on-write one, over a base. */
  diskHasBase: boolean;
  /** What outlives the machine, in the order in which the guest is to find it; `MOST_VOLUMES` of them. */
  volumes?: readonly { readOnly: boolean }[];
}

export type Accelerator = "kvm" | "tcg";

/** Where QEMU finds its files, in the root directory of its own. */
export const VIEW = {
  root: "/vm/root.erofs",
  layers: "/vm/layers.erofs",
  disk: "/vm/disk",
  baseDisk: "/vm/base-disk",
  memory: "/vm/memory",
  kernel: "/vm/kernel",
  initramfs: "/vm/initramfs",
  state: "/vm/state",
  /** The one directory that it may write in. */
  run: "/vm/run",
} as const;

/** Where QEMU finds a volume. */
export function volumeInView(index: number): string {
  return `/vm/volume-${index}`;
}

/** A machine of this type has places for 24 devices, of which the first is left free and six are taken. */
export const MOST_VOLUMES = 17;

/** QEMU's cache of translated code; by default it would take as much as the host has room for. */
export const TRANSLATION_CACHE_MIB = 64;

const DENIED = ["obsolete", "elevateprivileges", "spawn", "resourcecontrol"];

/**
 * Without interrupt controller and timer of the first PCs, whose emulation makes boots hang now and
 * then; with ACPI, because Debian's kernels find their devices by it alone.
 */
const MACHINE = "microvm,acpi=on,rtc=on,pit=off,pic=off,isa-serial=on,pcie=off,usb=off," +
  "auto-kernel-cmdline=off,suppress-vmdesc=on";

export function machineArguments(machine: MachineArguments): string[] {
  const { accelerator, memoryBytes, boot, diskHasBase, volumes = [] } = machine;
  return [
    ...processor(accelerator),
    ...["-machine", `${MACHINE},memory-backend=mem`],
    ...["-m", `${memoryBytes / 1024}k`],
    // Private: what the guest changes stays with this machine, and what it does not is shared with all
    // others that have mapped the same file.
    ...[
      "-object",
      `memory-backend-file,id=mem,size=${memoryBytes},mem-path=${VIEW.memory},` +
      "share=off,readonly=on,rom=off",
    ],
    ...(boot
      ? [
        ...["-kernel", VIEW.kernel, "-initrd", VIEW.initramfs],
        ...["-append", boot.kernelArguments],
      ]
      : ["-incoming", "defer"]),
    // The state of a machine that goes on comes without a description of itself.
    ...["-global", "migration.send-configuration=off"],
    ...["-chardev", "stdio,id=control,signal=off", "-mon", "chardev=control,mode=control"],
    ...["-add-fd", "fd=3,set=1", "-chardev", "file,id=console,path=/dev/fdset/1,append=on"],
    ...["-serial", "chardev:console"],
    ...file("root-file", VIEW.root, true),
    ...blockdev({ driver: "raw", "node-name": "root", file: "root-file", "read-only": "on" }),
    ...(diskHasBase
      ? [
        ...file("base-file", VIEW.baseDisk, true),
        ...blockdev({ driver: "raw", "node-name": "base", file: "base-file", "read-only": "on" }),
      ]
      : []),
    ...file("disk-file", VIEW.disk, false),
    ...blockdev({
      driver: diskHasBase ? "qcow2" : "raw",
      "node-name": "disk",
      file: "disk-file",
      ...(diskHasBase ? { backing: "base" } : {}),
      discard: "unmap",
    }),
    ...file("layers-file", VIEW.layers, true),
    ...blockdev({ driver: "raw", "node-name": "layers", file: "layers-file", "read-only": "on" }),
    ...volumes.flatMap(({ readOnly }, index) => [
      ...file(`volume-file-${index}`, volumeInView(index), readOnly),
      // Through the host's page cache, and a flush of the guest's to the disk.
      ...blockdev({
        driver: "raw",
        "node-name": `volume-${index}`,
        file: `volume-file-${index}`,
        ...(readOnly ? { "read-only": "on" } : { discard: "unmap" }),
      }),
    ]),
    ...["-netdev", "tap,id=net,ifname=tap0,script=no,downscript=no,vnet_hdr=on"],
    // A guest finds the devices of this machine type from the last to the first.
    ...[
      ...volumes.map((_, index) => `virtio-blk-device,drive=volume-${index}`).reverse(),
      "virtio-balloon-device,id=balloon,deflate-on-oom=on",
      "virtio-rng-device,rng=random",
      "virtio-net-device,netdev=net,mac=02:70:00:00:00:02",
      "virtio-blk-device,drive=layers",
      "virtio-blk-device,drive=disk",
      "virtio-blk-device,drive=root",
    ].flatMap((device, slot) => ["-device", `${device},bus=virtio-mmio-bus.${slot + 1}`]),
    ...["-object", "rng-random,id=random,filename=/dev/urandom"],
  ];
}

/** A machine without drives that only boots; its console is QEMU's output. */
export function probeArguments(probe: {
  accelerator: Accelerator;
  kernel: string;
  initramfs: string;
  kernelArguments: string;
}): string[] {
  return [
    ...processor(probe.accelerator),
    ...["-machine", MACHINE, "-m", "256", "-serial", "stdio", "-monitor", "none"],
    ...["-kernel", probe.kernel, "-initrd", probe.initramfs, "-append", probe.kernelArguments],
  ];
}

function processor(accelerator: Accelerator): string[] {
  const tcg = accelerator === "tcg";
  return [
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
    ...["-sandbox", ["on", ...DENIED.map((name) => `${name}=deny`)].join(",")],
    ...["-accel", tcg ? `tcg,tb-size=${TRANSLATION_CACHE_MIB}` : "kvm"],
    ...["-cpu", tcg ? "max" : "host", "-smp", "1"],
  ];
}

function file(name: string, path: string, readOnly: boolean): string[] {
  return blockdev({
    driver: "file",
    "node-name": name,
    filename: path,
    "read-only": readOnly ? "on" : "off",
    // The checkpoint's disk is read by many at once, and each machine's own by it alone.
    locking: "off",
    ...(readOnly ? {} : { discard: "unmap" }),
  });
}

function blockdev(options: Record<string, string>): string[] {
  return [
    "-blockdev",
    Object.entries(options).map(([name, value]) => `${name}=${value}`).join(","),
  ];
}

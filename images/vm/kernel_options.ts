import { Buffer } from "node:buffer";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

/** What a guest's kernel must have, built in or as a module, and what for. */
const needed: Record<string, string> = {
  ACPI: "finding its devices",
  VIRTIO_MMIO: "its devices",
  VIRTIO_BLK: "its disks",
  VIRTIO_NET: "its network",
  VIRTIO_BALLOON: "giving memory back",
  HW_RANDOM_VIRTIO: "random numbers from the host",
  EROFS_FS: "the guest image",
  EXT4_FS: "what a guest writes",
  OVERLAY_FS: "putting the two together",
  BLK_DEV_INITRD: "its init",
  DEVTMPFS: "device nodes",
  TMPFS: "/tmp and /run",
  UNIX98_PTYS: "terminals",
  SERIAL_8250_CONSOLE: "the console",
  MAGIC_SYSRQ: "ending the machine",
  PVH: "Firecracker, which starts it as an ELF file",
};

export interface KernelOptions {
  /** One sentence for each option that is missing. */
  problems: string[];
  /** Where the options were read, or undefined when nothing says what this kernel has. */
  source?: string;
  /** What could not be looked at, one sentence each. */
  unchecked: string[];
}

export interface KernelFiles {
  vmlinux: Uint8Array;
  release: string;
  /** Where the kernel lies: its configuration may lie beside it. */
  directory: string;
  modulesDir: string;
}

/** Compares a kernel's options with what the guest needs, as far as anything tells what they are. */
export async function checkKernelOptions(kernel: KernelFiles): Promise<KernelOptions> {
  const config = await findConfig(kernel);
  if (config) {
    const problems = Object.entries(needed)
      .filter(([name]) => !new RegExp(`^CONFIG_${name}=[ym]$`, "m").test(config.text))
      .map(([name, what]) => `The kernel has no CONFIG_${name}, for ${what}.`);
    return { problems, source: config.source, unchecked: [] };
  }
  return {
    problems: [],
    unchecked: [
      `Nothing says with which options ${kernel.release} was built (no CONFIG_IKCONFIG, no ` +
      `config-${kernel.release} beside it or in /boot): only its modules were looked at.`,
    ],
  };
}

async function findConfig(
  { vmlinux, release, directory, modulesDir }: KernelFiles,
): Promise<{ text: string; source: string } | undefined> {
  const embedded = embeddedConfig(vmlinux);
  if (embedded) return { text: embedded, source: "the kernel itself" };
  const places = [
    join(directory, `config-${release}`),
    join(modulesDir, "config"),
    `/boot/config-${release}`,
  ];
  for (const path of new Set(places)) {
    const text = await Deno.readTextFile(path).catch(() => undefined);
    if (text !== undefined) return { text, source: path };
  }
}

/** The configuration that CONFIG_IKCONFIG puts into a kernel. */
export function embeddedConfig(vmlinux: Uint8Array): string | undefined {
  const bytes = Buffer.from(vmlinux.buffer, vmlinux.byteOffset, vmlinux.byteLength);
  const start = bytes.indexOf("IKCFG_ST");
  const end = bytes.indexOf("IKCFG_ED", start);
  if (start < 0 || end < 0) return undefined;
  return gunzipSync(bytes.subarray(start + 8, end), { maxOutputLength: 4 * 1024 * 1024 })
    .toString();
}

import { missingCgroups, missingPrograms, type ProbeResult, runCommand } from "@paddock/driver";
import type { VmBoot } from "@paddock/driver/vm";
import { bootProbe, SilentKernel } from "./_boot_probe.ts";
import { versionIn, versionProblem } from "./_version.ts";

export interface ProbeTarget {
  firecracker: string;
  jailer: string;
  boot: VmBoot;
  uid: number;
  bootMs?: number;
}

/** A kernel boots in less than a second on a KVM that can run one. */
const BOOT_MS = 8_000;

const PROGRAMS: Record<string, string> = {
  "mkfs.erofs": "erofs-utils",
  "mkfs.ext4": "e2fsprogs",
  fallocate: "util-linux",
  ip: "iproute2",
  mkfifo: "coreutils",
  nft: "nftables",
  nsenter: "util-linux",
  unshare: "util-linux",
};

/** Looks for everything that machines need, and then boots one: nothing less shows that it works. */
export async function probeFirecracker(
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const result: ProbeResult = {
    driver: "firecracker",
    works: false,
    problems: [],
    capabilities: [],
  };
  const { problems } = result;
  try {
    if (Deno.uid() !== 0) {
      problems.push("Sandboxes need root: run this with sudo.");
      return result;
    }
    result.version = await checkPrograms(target, problems, signal);
    problems.push(
      ...await missingPrograms(PROGRAMS, signal),
      ...missingFiles(target.boot),
      ...missingCgroups(),
      ...await kvmProblems(),
    );
    if (problems.length > 0) return result;
    result.version = await bootProbe({ ...target, bootMs: target.bootMs ?? BOOT_MS }, signal);
    result.works = true;
    result.capabilities = ["checkpoint", "pause", "fork", "resize"];
  } catch (error) {
    signal.throwIfAborted();
    problems.push(
      error instanceof SilentKernel
        ? `/dev/kvm opens, but no kernel runs with it: ${error.message}. ` +
          "This host's KVM is not a full one, as nested machines have it."
        : `Firecracker could not boot a kernel: ${(error as Error).message}`,
    );
  }
  return result;
}

/** Firecracker's version; what is wrong with either program goes to `problems`. */
async function checkPrograms(
  { firecracker, jailer }: ProbeTarget,
  problems: string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const versions: (string | undefined)[] = [];
  for (const [path, name] of [[firecracker, "Firecracker"], [jailer, "Jailer"]] as const) {
    const said = await runCommand([path, "--version"], { signal }).catch((error) => {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
        return undefined;
      }
      throw error;
    });
    const version = said && versionIn(said.stdout, name);
    versions.push(version);
    if (!said) {
      problems.push(
        `There is no ${path} that can be run: \`paddock setup firecracker\` installs Firecracker.`,
      );
    } else if (version === undefined) {
      problems.push(`${path} is not ${name}: it does not say its version.`);
    } else {
      const problem = versionProblem(version);
      if (problem) problems.push(`${path}: ${problem}`);
    }
  }
  const [vmm, itsJailer] = versions;
  if (vmm !== undefined && itsJailer !== undefined && vmm !== itsJailer) {
    problems.push(`Firecracker ${vmm} and its jailer ${itsJailer} must be of one version.`);
  }
  return vmm;
}

async function kvmProblems(): Promise<string[]> {
  try {
    using _device = await Deno.open("/dev/kvm", { read: true, write: true });
    return [];
  } catch (error) {
    return [
      error instanceof Deno.errors.NotFound
        ? "This host has no /dev/kvm: its processor has no virtualisation, or it is switched off, " +
          "or the kernel's module (kvm_intel or kvm_amd) is not loaded."
        : `/dev/kvm does not open: ${(error as Error).message}.`,
    ];
  }
}

function missingFiles({ vmlinux, initramfs }: VmBoot): string[] {
  return [vmlinux, initramfs].flatMap((path) => {
    try {
      Deno.statSync(path);
      return [];
    } catch {
      return [`${path} is missing: npm run setup -- --tests builds what virtual machines boot.`];
    }
  });
}

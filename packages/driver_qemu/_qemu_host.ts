import { PaddockError } from "@paddock/protocol";
import { missingCgroups, missingPrograms, type ProbeResult, runCommand } from "@paddock/driver";
import { bootProbe } from "./_boot_probe.ts";
import type { Accelerator } from "./machine_arguments.ts";
import type { QemuDriverOptions } from "./qemu_driver.ts";

/** The first version that can map a guest's memory privately from a file that it may only read. */
const OLDEST = [8, 2];
const DEFAULT_QEMU = "qemu-system-x86_64";
const PROGRAMS: Record<string, string> = {
  "mkfs.erofs": "erofs-utils",
  "mkfs.ext4": "e2fsprogs",
  nft: "nftables",
  ip: "iproute2",
  nsenter: "util-linux",
  unshare: "util-linux",
  setpriv: "util-linux",
};
/** A kernel boots in less than a second on a KVM that can run one. */
const KVM_DEADLINE_MS = 8_000;
const TCG_DEADLINE_MS = 120_000;

interface Acceleration {
  accelerator: Accelerator;
  /** Why it is not KVM. */
  because?: string;
}

/** What was found of a QEMU and a guest's boot files does not change while a daemon runs. */
const found = new Map<string, Promise<Acceleration>>();

/** What this host's QEMU is and can do. */
export class QemuHost {
  readonly #options: QemuDriverOptions;
  #version: Promise<{ path: string; version: string }> | undefined;

  constructor(options: QemuDriverOptions) {
    this.#options = options;
  }

  async path(signal: AbortSignal): Promise<string> {
    return (await this.#find(signal)).path;
  }

  async version(signal: AbortSignal): Promise<string> {
    return (await this.#find(signal)).version;
  }

  async accelerator(signal: AbortSignal): Promise<Accelerator> {
    return this.#options.accelerator ?? (await this.#acceleration(signal)).accelerator;
  }

  async probe(signal: AbortSignal): Promise<ProbeResult> {
    const result: ProbeResult = { driver: "qemu", works: false, problems: [], capabilities: [] };
    const notes: string[] = [];
    try {
      if (Deno.uid() !== 0) {
        result.problems.push("Sandboxes need root: run this with sudo.");
        return result;
      }
      result.version = await this.version(signal);
      result.problems.push(
        ...await missingPrograms(PROGRAMS, signal),
        ...this.#missingFiles(),
        ...missingCgroups(),
      );
      if (result.problems.length > 0) return result;
      const { accelerator, because } = this.#options.accelerator
        ? { accelerator: this.#options.accelerator, because: "it was chosen" }
        : await this.#acceleration(signal);
      // The kernel has booted with KVM already when that was chosen by itself.
      if (accelerator === "tcg" || this.#options.accelerator) await this.#boot(accelerator, signal);
      if (accelerator === "tcg") {
        notes.push(
          "Virtual machines are emulated on this host: JavaScript runs about 3 to 12 times slower " +
            `than on the host itself, and programs start about 10 times slower (${because}).`,
        );
      }
      result.works = true;
      result.capabilities = ["checkpoint", "pause", "fork", "resize"];
    } catch (error) {
      signal.throwIfAborted();
      result.problems.push((error as Error).message);
    }
    return notes.length > 0 ? { ...result, notes } : result;
  }

  #find(signal: AbortSignal) {
    this.#version ??= findQemu(this.#options.qemuPath ?? DEFAULT_QEMU, signal);
    this.#version.catch(() => this.#version = undefined);
    return this.#version;
  }

  #acceleration(signal: AbortSignal): Promise<Acceleration> {
    const { boot, qemuPath } = this.#options;
    const key = `${qemuPath}:${boot.initramfs}`;
    const known = found.get(key);
    if (known) return known;
    const asked = this.#choose(signal);
    found.set(key, asked);
    asked.catch(() => found.delete(key));
    return asked;
  }

  async #choose(signal: AbortSignal): Promise<Acceleration> {
    try {
      using _kvm = await Deno.open("/dev/kvm", { read: true, write: true });
    } catch (error) {
      const missing = error instanceof Deno.errors.NotFound;
      return { accelerator: "tcg", because: missing ? "there is no /dev/kvm" : String(error) };
    }
    try {
      await this.#boot("kvm", signal);
      return { accelerator: "kvm" };
    } catch {
      signal.throwIfAborted();
      return { accelerator: "tcg", because: "/dev/kvm opens, but no kernel boots with it" };
    }
  }

  async #boot(accelerator: Accelerator, signal: AbortSignal): Promise<void> {
    const deadlineMs = accelerator === "kvm" ? KVM_DEADLINE_MS : TCG_DEADLINE_MS;
    await bootProbe({
      qemu: await this.path(signal),
      boot: this.#options.boot,
      accelerator,
      deadlineMs,
    }, signal);
  }

  #missingFiles(): string[] {
    const { bzImage, vmlinux, initramfs } = this.#options.boot;
    return [bzImage ?? vmlinux, initramfs].flatMap((path) => {
      try {
        Deno.statSync(path);
        return [];
      } catch {
        return [`${path} is missing: npm run setup -- --tests builds what virtual machines boot.`];
      }
    });
  }
}

async function findQemu(
  name: string,
  signal: AbortSignal,
): Promise<{ path: string; version: string }> {
  const command = await runCommand(["sh", "-c", 'readlink -f "$(command -v "$1")"', "sh", name], {
    signal,
  });
  const path = command.stdout.trim();
  if (!path) {
    throw new PaddockError("DRIVER_FAILED", {
      message: `There is no ${name} on this host: install QEMU (Debian: qemu-system-x86).`,
    });
  }
  const asked = await runCommand([path, "--version"], { signal });
  const version = /version (\d+\.\d+(?:\.\d+)?)/.exec(asked.stdout)?.[1];
  if (version === undefined || isOlder(version)) {
    throw new PaddockError("DRIVER_FAILED", {
      message: `${path} is ${version === undefined ? "no QEMU" : `QEMU ${version}`}: ` +
        `version ${OLDEST.join(".")} or newer is needed (Debian 12: from bookworm-backports).`,
    });
  }
  return { path, version };
}

function isOlder(version: string): boolean {
  const [major, minor] = version.split(".").map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}

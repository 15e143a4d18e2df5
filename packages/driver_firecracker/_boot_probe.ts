import { join } from "node:path";
import { ConsoleLog, sleep } from "@paddock/driver";
import { PROBE_ANSWER, probeConfig, type VmBoot } from "@paddock/driver/vm";
import { Jail, JAIL_FILES } from "./_jail.ts";
import { kernelArguments } from "./_kernel_arguments.ts";
import { killVmm, startVmm, type Vmm } from "./_vmm.ts";

export interface BootProbe {
  firecracker: string;
  jailer: string;
  boot: VmBoot;
  /** A user that no machine runs as. */
  uid: number;
  /** How long the kernel and its init may take. */
  bootMs: number;
}

const MEMORY_MIB = 128;
const CONSOLE_BYTES = 16 * 1024;
const POLL_MS = 20;
const CPU_SECONDS = 300;

/**
 * Boots the guest's kernel and init in a jailed Firecracker, without drives and network, and answers
 * with Firecracker's version. Throws with what is wrong when it does not come up.
 */
export async function bootProbe(probe: BootProbe, signal: AbortSignal): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "paddock-probe-" });
  const console = new ConsoleLog(join(dir, "console.log"), CONSOLE_BYTES);
  let vmm: Vmm | undefined;
  try {
    const jail = new Jail({ id: "probe", workDir: dir, ...probe });
    const kernel = { source: probe.boot.vmlinux, target: JAIL_FILES.kernel, readOnly: true };
    const parts = [await Deno.readFile(probe.boot.initramfs), probeConfig("b")];
    vmm = await startVmm({
      ...{ jail, console, mounts: [kernel], cgroupDirectories: [] },
      // No cgroup holds it and no note is kept: nobody would look for it after this daemon's end.
      cpuSeconds: CPU_SECONDS,
      files: { [JAIL_FILES.initramfs]: parts },
    }, signal);
    await vmm.api.bootSource({
      kernel_image_path: JAIL_FILES.kernel,
      initrd_path: JAIL_FILES.initramfs,
      boot_args: kernelArguments({ keyboard: false }),
    });
    await vmm.api.machineConfig({
      vcpu_count: 1,
      mem_size_mib: MEMORY_MIB,
      track_dirty_pages: false,
    });
    // Answered when the kernel has been read and set going.
    await vmm.api.action("InstanceStart", { signal, deadlineMs: probe.bootMs });
    await waitForAnswer(vmm, console, probe.bootMs, signal);
    return vmm.version;
  } finally {
    if (vmm) {
      killVmm(vmm.child);
      await vmm.child.status;
      vmm.release();
    }
    console.close();
    await Deno.remove(dir, { recursive: true }).catch(() => {});
  }
}

async function waitForAnswer(
  vmm: Vmm,
  console: ConsoleLog,
  bootMs: number,
  signal: AbortSignal,
): Promise<void> {
  let ended = false;
  vmm.child.status.then(() => ended = true);
  const giveUp = performance.now() + bootMs;
  for (;;) {
    const text = console.text();
    if (text.includes(PROBE_ANSWER)) return;
    if (ended) {
      await Promise.race([vmm.drained, sleep(200)]);
      if (console.text().includes(PROBE_ANSWER)) return;
      const said = `${console.text()}\n${vmm.log.text()}`.trim().slice(-500);
      throw new Error(`the guest's kernel ended before it was up: ${said}`);
    }
    if (performance.now() > giveUp) {
      if (text.trim() === "") {
        throw new SilentKernel(`one that was started said nothing in ${bootMs} ms`);
      }
      throw new Error(`the guest's kernel was not up in ${bootMs} ms: ${text.trim().slice(-500)}`);
    }
    await sleep(POLL_MS, signal);
  }
}

/** /dev/kvm is there and makes a machine, but the machine's processor runs no kernel. */
export class SilentKernel extends Error {
  override readonly name = "SilentKernel";
}

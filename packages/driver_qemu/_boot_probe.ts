import { runCommand } from "@paddock/driver";
import { PROBE_ANSWER, probeConfig, type VmBoot } from "@paddock/driver/vm";
import { kernelArguments } from "./_kernel_arguments.ts";
import { type Accelerator, probeArguments } from "./machine_arguments.ts";

export interface BootProbe {
  qemu: string;
  boot: VmBoot;
  accelerator: Accelerator;
  deadlineMs: number;
}

/**
 * Boots the guest's kernel and init, without drives and network. Throws with what the machine said
 * when it did not come up: that a device opens proves nothing.
 */
export async function bootProbe(probe: BootProbe, signal: AbortSignal): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "paddock-probe-" });
  try {
    const initramfs = `${dir}/initramfs`;
    await Deno.writeFile(initramfs, await Deno.readFile(probe.boot.initramfs));
    await Deno.writeFile(initramfs, probeConfig("o"), { append: true });
    const run = await runCommand([
      // Ends with this process, whatever way that goes.
      ...["setpriv", "--pdeathsig", "KILL", probe.qemu],
      ...probeArguments({
        accelerator: probe.accelerator,
        kernel: probe.boot.bzImage ?? probe.boot.vmlinux,
        initramfs,
        kernelArguments: await kernelArguments(probe.accelerator, signal),
      }),
    ], { signal, deadlineMs: probe.deadlineMs });
    if (run.stdout.includes(PROBE_ANSWER)) return;
    const said = (run.stderr || run.stdout).trim().slice(-500);
    throw new Error(`the guest's kernel did not boot in QEMU (${probe.accelerator}): ${said}`);
  } finally {
    await Deno.remove(dir, { recursive: true }).catch(() => {});
  }
}

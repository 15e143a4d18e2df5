import type { Accelerator } from "./machine_arguments.ts";
import { hostTscKhz } from "./_host_clock.ts";

/** A kernel counts its delays by a loop: so many turns a tick at 250 ticks a second. */
const TICKS = 250;

export async function kernelArguments(
  accelerator: Accelerator,
  signal: AbortSignal,
): Promise<string> {
  const common = ["console=ttyS0", "panic=-1", "reboot=t", "quiet", "loglevel=4"];
  if (accelerator === "kvm") return common.join(" ");
  const khz = await hostTscKhz(signal);
  return [
    ...common,
    // Nothing on this machine type can measure the counter, and nothing is better than it.
    ...[`tsc_early_khz=${khz}`, `lpj=${khz * 1_000 / TICKS}`, "tsc=reliable"],
    // What protects a processor from guesses about code is lost on one that makes none.
    "mitigations=off",
  ].join(" ");
}

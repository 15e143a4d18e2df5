import { runCommand } from "@paddock/driver";

/**
 * How fast this host's time stamp counter runs, in kHz. An emulated guest reads that very counter and
 * has, on this machine type, no other clock to measure it by: it has to be told. The kernel's own
 * measurement is the best there is; once its log has been overwritten, the processor's speed is near.
 */
export async function hostTscKhz(signal: AbortSignal): Promise<number> {
  const log = await runCommand(["dmesg"], { signal }).catch(() => undefined);
  const measured = tscFromLog(log?.stdout ?? "");
  if (measured) return measured;
  const info = await Deno.readTextFile("/proc/cpuinfo");
  const mhz = Number(/^cpu MHz\s*:\s*([\d.]+)/m.exec(info)?.[1]);
  if (!(mhz > 0)) throw new Error("this host does not say how fast its processor runs");
  return Math.round(mhz * 1_000);
}

/** The last word of a kernel about its counter: it measures a second time, more precisely. */
export function tscFromLog(log: string): number | undefined {
  const found = [
    ...log.matchAll(/tsc: (?:Detected|Refined TSC clocksource calibration:) ([\d.]+) MHz/g),
  ];
  const mhz = found.at(-1)?.[1];
  return mhz === undefined ? undefined : Math.round(Number(mhz) * 1_000);
}

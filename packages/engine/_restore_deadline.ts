import type { EngineParts } from "./_sandbox_resources.ts";

/** How long a restore may take until the agent answers: an emulated machine is as slow at it as at a boot. */
export function restoreDeadlineMs({ limits, driver }: EngineParts): number {
  return limits.restoreMs + (driver.traits.slowBootMs ?? 0) / 2;
}

import type { DriverTraits } from "@paddock/driver";
import type { PooledMachine } from "./_pooled_machine.ts";
import type { SandboxSpec } from "./engine.ts";

/** Whether there is nothing about this sandbox that the guest of a machine that waited has yet to hear. */
export function knowsItself(
  { identity }: Pick<PooledMachine, "identity">,
  { id, region, env = {} }: Pick<SandboxSpec, "id" | "region" | "env">,
  { ownClock }: Pick<DriverTraits, "ownClock">,
): boolean {
  const itself = identity?.id === id && identity.region === region;
  return itself && Object.keys(env).length === 0 && !ownClock;
}

import type { SandboxSpec } from "../engine.ts";

export function hasVolumes(spec: Pick<SandboxSpec, "root" | "volumes">): boolean {
  return spec.root !== undefined || (spec.volumes?.length ?? 0) > 0;
}

/**
 * Whether a sandbox has to be booted rather than restored: a template's machine has mounts of its own,
 * and neither volumes nor another root can be added to it.
 */
export function needsColdLaunch(spec: Pick<SandboxSpec, "root" | "volumes">): boolean {
  return hasVolumes(spec);
}

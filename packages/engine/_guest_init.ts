import type { LaunchSpec } from "@paddock/driver";
import { defaultLimits, type LimitValues } from "@paddock/protocol";
import type { GuestImage } from "./_sandbox_resources.ts";
import type { SandboxSpec } from "./engine.ts";

/** Where the agent listens in every guest. */
export const AGENT_PORT = 4270;

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** How the guest's first process is started: the boot contract between engine, image and agent. */
export function guestInit(
  spec: Pick<SandboxSpec, "id" | "region" | "memoryBytes" | "env"> & { machineId?: string },
  image: GuestImage,
  agent: { port: number; token: string },
  limits: LimitValues,
): LaunchSpec["init"] {
  return {
    args: [
      ...["/usr/bin/tini", "--"],
      ...["/usr/bin/deno", "run", "-A", "--no-lock", "--no-config"],
      // The agent collects once when it has settled: an idle sandbox keeps nothing of its start.
      ...["--v8-flags=--expose-gc", "/opt/paddock/agent.js"],
    ],
    cwd: "/home/sandbox",
    env: {
      PATH,
      HOME: "/root",
      LANG: "C.UTF-8",
      ...image.env,
      PADDOCK_AGENT_TOKEN: agent.token,
      PADDOCK_AGENT_PORT: String(agent.port),
      PADDOCK_SANDBOX_ID: spec.id,
      PADDOCK_REGION: spec.region,
      ...(spec.machineId !== undefined && { PADDOCK_MACHINE_ID: spec.machineId }),
      PADDOCK_MEMORY_BYTES: String(spec.memoryBytes),
      PADDOCK_GUEST_ENV: JSON.stringify(spec.env ?? {}),
      PADDOCK_AGENT_LIMITS: JSON.stringify(changedLimits(limits)),
    },
  };
}

/** The agent knows the defaults: its environment stays short. */
function changedLimits(limits: LimitValues): Partial<LimitValues> {
  const names = Object.keys(limits) as (keyof LimitValues)[];
  return Object.fromEntries(
    names.filter((name) => limits[name] !== defaultLimits[name]).map((
      name,
    ) => [name, limits[name]]),
  );
}

import type { NetworkSlot } from "@paddock/driver";
import type { GuestIdentity } from "@paddock/protocol";
import { type EngineParts, hostnameOf, hostsFile, resolvConf } from "./_sandbox_resources.ts";
import type { SandboxSpec } from "./engine.ts";

/** Who a restored machine is from now on: told to its agent before anybody else reaches it. */
export function guestIdentity(
  { id, region, memoryBytes }: Pick<SandboxSpec, "id" | "region" | "memoryBytes">,
  { slot, parts, token, machineId, envs, stage }: {
    slot: NetworkSlot;
    parts: EngineParts;
    token: string;
    machineId: string;
    /** What a checkpointed sandbox had stays as its clients set it, unless more is given. */
    envs: Pick<GuestIdentity, "env" | "moreEnv">;
    stage?: GuestIdentity["stage"];
  },
): GuestIdentity {
  const hostname = hostnameOf(id);
  return {
    token,
    sandboxId: id,
    region,
    memoryBytes,
    ...envs,
    ...(stage && { stage }),
    hostname,
    machineId,
    hosts: hostsFile(slot.guestAddress, hostname),
    resolvConf: resolvConf(parts),
    time: Date.now(),
    entropy: crypto.getRandomValues(new Uint8Array(256)).toBase64(),
  };
}

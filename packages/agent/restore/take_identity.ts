import { decodeBase64, type GuestIdentity } from "@paddock/protocol";
import { type AgentConfig, commandEnvironment } from "../config.ts";
import type { Identity } from "../identity/identity.ts";
import type { Environment } from "../process/environment.ts";
import type { MemoryPolice } from "../process/memory_police.ts";
import type { ReplPool } from "../repl/repl_pool.ts";
import { mendEventLoops } from "./event_loops.ts";
import { setClock } from "./clock.ts";
import { reseedKernel, reseedThread } from "./entropy.ts";
import { writeNames } from "./guest_names.ts";
import { resizeMemoryMounts } from "./memory_mounts.ts";

export interface IdentityServices {
  config: AgentConfig;
  identity: Identity;
  environment: Environment;
  repls: ReplPool;
  police: MemoryPolice;
  setToken(token: string): void;
  log(message: string): void;
}

/**
 * Turns a machine that was restored into the sandbox it is from now on. All of it is done before
 * the answer, and the engine lets nobody in before it has that.
 */
export function takeIdentity(services: IdentityServices, given: GuestIdentity): void {
  const { config, identity, environment, repls, log } = services;
  if (given.again) {
    identity.asRoot(() => setClock(identity.libc, given.time));
    return;
  }
  const prepared = given.stage === "prepared";
  identity.asRoot(() => {
    setClock(identity.libc, given.time);
    writeNames(identity.libc, given, log);
    if (prepared) return;
    reseedKernel(identity.libc, decodeBase64(given.entropy));
    mendEventLoops();
  });
  if (!prepared) {
    reseedThread();
    repls.reseed();
  }
  setMemory(services, given.memoryBytes);
  services.setToken(given.token);
  if (given.stage === "waiting") return;
  config.sandboxId = given.sandboxId;
  config.region = given.region;
  if (given.env) {
    environment.replace({
      ...commandEnvironment(config.imageEnvironment, config.account),
      ...given.env,
    });
  }
  for (const [key, value] of Object.entries(given.moreEnv ?? {})) environment.set(key, value);
  repls.refreshSpare();
}

function setMemory(
  { config, identity, repls, police, log }: IdentityServices,
  memoryBytes: number,
): void {
  if (config.memoryBytes === memoryBytes) return;
  config.memoryBytes = memoryBytes;
  police.memoryBytes = memoryBytes;
  identity.asRoot(() => resizeMemoryMounts(identity.libc, memoryBytes, log));
  // Its heap was given a bound for another size of memory.
  repls.dropSpare();
  repls.warm();
}

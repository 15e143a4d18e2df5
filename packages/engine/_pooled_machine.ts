import { newSandboxId } from "@paddock/protocol";
import { waitForAgent } from "./_agent_ready.ts";
import { newAgentToken } from "./_agent_token.ts";
import { guestIdentity } from "./_guest_identity.ts";
import { AGENT_PORT, guestInit } from "./_guest_init.ts";
import { identifyGuest } from "./_identify_guest.ts";
import { newMachineId } from "./_machine_id.ts";
import { type EngineParts, type MachineInPlace, startMachine } from "./_sandbox_resources.ts";
import type { Template } from "./_template.ts";
import type { Greeting } from "./engine.ts";
import type { RestoreSource, Stock } from "./restore_source.ts";

/** The region in the ids of machines that wait in a pool. The sandboxes they become have ids of their own. */
const REGION = "pol";

/** A restored machine that nobody has been told about. Whoever takes it owns its stack. */
export interface PooledMachine {
  memoryBytes: number;
  place: MachineInPlace;
  /** The sandbox it takes itself for; left out while all that it knows is that it waits. */
  identity?: { id: string; region: string };
  /** What its agent demands. */
  token: string;
  machineId: string;
  greeting?: Greeting;
  stack: AsyncDisposableStack;
  /** Aborted when the machine ends. */
  died: AbortSignal;
  /** Of the node's own ones, that which it was restored from. */
  template?: Template;
}

/** What is asked of a machine that waits. */
export interface PoolRequest {
  memoryBytes: number;
  /** Of a template that somebody built; the node's own one when left out. */
  stock?: Stock;
}

export interface PooledOrigin extends PoolRequest {
  source: RestoreSource;
  template?: Template;
  /** Of the sandboxes that such machines take themselves for; left out: they take themselves for none. */
  region?: string;
}

/** A machine restored ahead of demand, which knows as much of who it will be as there is to know. */
export async function restorePooled(
  parts: EngineParts,
  { source, template, region, memoryBytes, stock }: PooledOrigin,
  signal: AbortSignal,
): Promise<PooledMachine> {
  const { limits, image, meters, driver } = parts;
  const began = performance.now();
  const died = new AbortController();
  await using made = new AsyncDisposableStack();
  const { token } = source;
  const id = newSandboxId(REGION);
  const guest = { id, region: REGION, memoryBytes, env: {} };
  const init = () => guestInit(guest, image, { port: AGENT_PORT, token }, limits);
  const request = { id, memoryBytes, source, init, ahead: true };
  const place = await startMachine(parts, request, made, signal);
  place.machine.exited.then(({ reason, detail }) =>
    died.abort(new Error(`the machine ended (${reason}): ${detail ?? ""}`))
  );
  const agent = { host: place.slot.guestAddress, port: AGENT_PORT, token };
  const wanted = AbortSignal.any([signal, died.signal]);
  await waitForAgent(agent, wanted);
  const own = { token: newAgentToken(), machineId: newMachineId() };
  const common = { slot: place.slot, parts, ...own };
  // A user's template has its own idea of what is to be done when a machine becomes somebody's.
  const identity = stock || region === undefined ? undefined : { id: newSandboxId(region), region };
  const told = () =>
    identity
      ? guestIdentity({ ...identity, memoryBytes }, { ...common, envs: { env: {} } })
      : guestIdentity(guest, { ...common, envs: {}, stage: "waiting" });
  await identifyGuest(agent, told, wanted);
  const greeting = await parts.greet?.({ ...agent, token: own.token }, wanted);
  if (greeting) made.use(greeting);
  place.cgroup.limitCpus(limits.cpus);
  meters.restored(driver.name, "ahead", performance.now() - began);
  const stack = made.move();
  return { memoryBytes, place, identity, greeting, ...own, stack, died: died.signal, template };
}

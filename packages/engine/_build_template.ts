import { sleep } from "@paddock/driver";
import { newSandboxId } from "@paddock/protocol";
import { agentHealth, waitForAgent } from "./_agent_ready.ts";
import { AGENT_PORT, guestInit } from "./_guest_init.ts";
import { newAgentToken } from "./_agent_token.ts";
import { guestIdentity } from "./_guest_identity.ts";
import { identifyGuest } from "./_identify_guest.ts";
import { quietMoment } from "./_quiet_moment.ts";
import { type EngineParts, startMachine } from "./_sandbox_resources.ts";

/** The region in the ids of machines that become templates. */
const REGION = "tpl";
const SETTLE_POLL_MS = 50;
/** A spare REPL gives back what starting it took once it has been one for a moment. */
const SPARE_IDLE_MS = 300;

/**
 * Boots a machine, has it do once what all of them do, waits until it is ready and quiet again, and
 * checkpoints it into `directory`, which must not exist. Nothing of the machine is left when this settles.
 */
export async function buildTemplate(
  parts: EngineParts,
  memoryBytes: number,
  directory: string,
  signal: AbortSignal,
): Promise<{ token: string }> {
  await using stack = new AsyncDisposableStack();
  const id = newSandboxId(REGION);
  const token = newAgentToken();
  const spec = { id, region: REGION, memoryBytes, env: {} };
  const died = new AbortController();
  const wanted = AbortSignal.any([signal, died.signal]);
  const place = await startMachine(
    parts,
    {
      id,
      memoryBytes,
      init: () => guestInit(spec, parts.image, { port: AGENT_PORT, token }, parts.limits),
    },
    stack,
    signal,
  );
  place.machine.exited.then((exit) =>
    died.abort(new Error(`the machine ended (${exit.reason}): ${exit.detail ?? ""}`))
  );
  const agent = { host: place.slot.guestAddress, port: AGENT_PORT, token };
  await waitForAgent(agent, wanted);
  const settled = async () => {
    for (;;) {
      const health = await agentHealth(agent, wanted);
      if (health?.repl === true && health.settled === true) break;
      await sleep(SETTLE_POLL_MS, wanted);
    }
  };
  await settled();
  await identifyGuest(
    agent,
    () =>
      guestIdentity(spec, {
        ...{ slot: place.slot, parts, token, envs: { env: {} }, machineId: "0".repeat(32) },
      }),
    wanted,
  );
  await parts.exercise?.(agent, wanted);
  await settled();
  await sleep(SPARE_IDLE_MS, wanted);
  await quietMoment(place, wanted);
  await place.machine.checkpoint(directory, wanted);
  return { token };
}

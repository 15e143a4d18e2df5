import { newSandboxId } from "@paddock/protocol";
import { waitForAgent } from "./_agent_ready.ts";
import { timeoutAfter } from "./_deadline.ts";
import { AGENT_PORT, guestInit } from "./_guest_init.ts";
import { explainRestoreFailure, MachineDied } from "./machine_died.ts";
import { type EngineParts, startMachine } from "./_sandbox_resources.ts";
import type { RestoreSource } from "./restore_source.ts";

/** The region in the ids of machines that are only looked at. */
const REGION = "try";

/**
 * Restores a machine until its agent answers, and ends it: a checkpoint whose files are whole may still be
 * one of a machine that crashes when it goes on. `ended` never rejects; one that did not answer has ended
 * when this rejects.
 */
export async function tryCheckpoint(
  parts: EngineParts,
  { source, memoryBytes }: { source: RestoreSource; memoryBytes: number },
  signal: AbortSignal,
): Promise<{ ended: Promise<void> }> {
  const { limits, image, driver } = parts;
  await using stack = new AsyncDisposableStack();
  const id = newSandboxId(REGION);
  const agent = { port: AGENT_PORT, token: source.token };
  const within = limits.restoreMs + (driver.traits.slowBootMs ?? 0);
  const deadline = timeoutAfter(source.written, within);
  const wanted = AbortSignal.any([signal, deadline]);
  const died = new AbortController();
  try {
    const place = await startMachine(
      parts,
      {
        ...{ id, memoryBytes, source },
        init: () => guestInit({ id, region: REGION, memoryBytes, env: {} }, image, agent, limits),
      },
      stack,
      wanted,
    );
    place.machine.exited.then((exit) => died.abort(new MachineDied(exit)));
    await waitForAgent(
      { ...agent, host: place.slot.guestAddress },
      AbortSignal.any([wanted, died.signal]),
    );
    return { ended: stack.move().disposeAsync() };
  } catch (error) {
    throw explainRestoreFailure(error, limits);
  }
}

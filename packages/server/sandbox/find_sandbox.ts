import { PaddockError } from "@paddock/protocol";
import type { EndReason, Engine, RunningSandbox, SandboxRecord } from "@paddock/engine";
import type { Sandboxes } from "../store/sandboxes.ts";

const WHY: Record<EndReason, string> = {
  timeout: "its time was up",
  session_closed: "the connection it was created for closed",
  killed: "it was killed",
  out_of_memory: "it ran out of memory",
  guest_exited: "its first process exited",
  crashed: "its machine crashed",
  create_failed: "it could not be created",
  node_stopped: "the server was stopped",
};

export function describeEnd(reason: EndReason | null): string {
  return reason === null ? "it is being ended" : WHY[reason];
}

/** A sandbox's record, if it is the organisation's; otherwise as if it had never been. */
export async function findRecord(
  sandboxes: Sandboxes,
  organizationId: string,
  idOrAlias: string,
): Promise<SandboxRecord> {
  const record = await sandboxes.find(organizationId, idOrAlias);
  if (!record) throw new PaddockError("SANDBOX_NOT_FOUND");
  return record;
}

/** A sandbox that can be talked to now. One that is paused is resumed. */
export async function findRunning(
  { engine, sandboxes, signal }: { engine: Engine; sandboxes: Sandboxes; signal: AbortSignal },
  organizationId: string,
  idOrAlias: string,
): Promise<RunningSandbox> {
  const record = await findRecord(sandboxes, organizationId, idOrAlias);
  const sandbox = engine.get(record.id);
  if (sandbox?.state === "running" || sandbox?.state === "paused") {
    await sandbox.resume(signal);
    return sandbox;
  }
  if (sandbox?.state === "creating") {
    throw new PaddockError("SANDBOX_NOT_FOUND", {
      message: "The sandbox is still being created.",
      hint: "Connect once the call that creates it has answered.",
    });
  }
  throw endedError(record);
}

/** Why a sandbox can no longer be asked for anything. */
export function endedError({ endReason }: SandboxRecord): PaddockError {
  if (endReason === "out_of_memory") return new PaddockError("SANDBOX_OUT_OF_MEMORY");
  return new PaddockError("SANDBOX_STOPPED", {
    message: `The sandbox has stopped: ${describeEnd(endReason)}.`,
    details: { endReason },
  });
}

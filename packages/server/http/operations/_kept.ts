import type { CheckpointKind, CheckpointSpec, StoredCheckpoint } from "@paddock/engine";
import { PaddockError } from "@paddock/protocol";
import { findRunning } from "../../sandbox/find_sandbox.ts";
import type { Call } from "../operation.ts";

const MiB = 1024 * 1024;

/** What answers about checkpoints and about templates have in common. */
export function keptInfo(record: StoredCheckpoint) {
  const { id, region, driver, memoryBytes, bytes, createdAt } = record;
  return {
    ...{ id, region, driver, bytes },
    memoryMb: Math.floor(memoryBytes / MiB),
    createdAt: new Date(createdAt).toISOString(),
  };
}

/** One of another organisation looks like one that does not exist. */
export function findKept(
  { services, identity, params }: Call,
  kind: CheckpointKind,
): StoredCheckpoint {
  const record = services.store.checkpoints.find(identity.organizationId, kind, params.id);
  if (record) return record;
  throw new PaddockError(kind === "template" ? "TEMPLATE_NOT_FOUND" : "CHECKPOINT_NOT_FOUND");
}

/** Keeps the running sandbox that the call names as it is, while its clients step aside. */
export async function keepSandbox(
  { services, identity, params, json, signal, log }: Call,
  parse: (body: unknown) => CheckpointSpec,
): Promise<StoredCheckpoint> {
  const { engine, store, standstills, volumeGate } = services;
  const sandboxes = store.sandboxes;
  const sandbox = await findRunning(
    { engine, sandboxes, signal },
    identity.organizationId,
    params.id,
  );
  const spec = parse(await json());
  using _key = await volumeGate.enter(signal);
  const record = await engine.checkpoints.create(sandbox.spec.id, {
    ...spec,
    around: (work) => standstills.during(sandbox, "checkpoint", work),
  }, signal);
  log.info("kept a sandbox", { sandbox: sandbox.spec.id, checkpoint: record.id });
  return record;
}

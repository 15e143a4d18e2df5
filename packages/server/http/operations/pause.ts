import { sandboxMetadataSchema } from "@paddock/protocol";
import { endedError, findRecord, findRunning } from "../../sandbox/find_sandbox.ts";
import { metadataOf } from "../../sandbox/metadata.ts";
import type { Operation } from "../operation.ts";

const pauseSandbox: Operation = {
  method: "post",
  path: "/api/v3/sandbox/{id}/pause",
  summary: "Write a sandbox's machine to the disk and end it, until somebody wants something of it",
  answer: { status: 200, description: "It is paused", schema: sandboxMetadataSchema },
  async handle({ services, identity, params, signal, log }) {
    const { engine, store, standstills, volumeGate } = services;
    const { organizationId } = identity;
    const record = await findRecord(store.sandboxes, organizationId, params.id);
    const { id } = record;
    const sandbox = engine.get(id);
    if (sandbox?.state === "running") {
      using _key = await volumeGate.enter(signal);
      await sandbox.pause(signal, (work) => standstills.during(sandbox, "pause", work));
      log.info("paused", { sandbox: id });
    } else if (sandbox?.state !== "paused") {
      throw endedError(record);
    }
    const after = await findRecord(store.sandboxes, organizationId, id);
    return { status: 200, body: metadataOf(after, engine) };
  },
};

const resumeSandbox: Operation = {
  method: "post",
  path: "/api/v3/sandbox/{id}/resume",
  summary: "Let a paused sandbox go on where it stood; so does every request to it",
  answer: { status: 200, description: "It runs", schema: sandboxMetadataSchema },
  async handle({ services, identity, params, signal, log }) {
    const { engine, store: { sandboxes } } = services;
    const { organizationId } = identity;
    const { spec } = await findRunning({ engine, sandboxes, signal }, organizationId, params.id);
    log.info("resumed", { sandbox: spec.id });
    const after = await findRecord(sandboxes, organizationId, spec.id);
    return { status: 200, body: metadataOf(after, engine) };
  },
};

export const pause: readonly Operation[] = [pauseSandbox, resumeSandbox];

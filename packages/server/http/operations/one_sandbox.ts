import {
  extendAnswerSchema,
  extendRequestSchema,
  PaddockError,
  parseExtendRequest,
  sandboxMetadataSchema,
} from "@paddock/protocol";
import { endedError, findRecord, findRunning } from "../../sandbox/find_sandbox.ts";
import { metadataOf } from "../../sandbox/metadata.ts";
import type { Answer, Call, Operation } from "../operation.ts";

/** What a kill may take before the caller is told that it goes on in the background. */
const KILL_WAIT_MS = 8_000;

const getSandbox: Operation = {
  method: "get",
  path: "/api/v3/sandbox/{id}",
  summary: "Show a sandbox, also one that has stopped",
  answer: { status: 200, description: "The sandbox", schema: sandboxMetadataSchema },
  async handle({ services, identity, params }) {
    const { sandboxes } = services.store;
    const record = await findRecord(sandboxes, identity.organizationId, params.id);
    return { status: 200, body: metadataOf(record, services.engine) };
  },
};

const extendSandbox: Operation = {
  method: "patch",
  path: "/api/v3/sandbox/{id}",
  summary: "Move the time at which a sandbox stops",
  body: extendRequestSchema,
  answer: { status: 200, description: "When it stops now", schema: extendAnswerSchema },
  async handle(call) {
    const sandbox = await running(call);
    const stopAt = parseExtendRequest(await call.json(), { limits: call.services.config.limits });
    return { status: 200, body: { stop_at_ms: await sandbox.extend(stopAt) } };
  },
};

/** Killing what has stopped changes nothing and succeeds: a retry must not fail. */
async function kill({ services, identity, params, log }: Call): Promise<Answer> {
  const { engine, store, connections } = services;
  const record = await findRecord(store.sandboxes, identity.organizationId, params.id);
  const sandbox = engine.get(record.id);
  if (sandbox) {
    log.info("killing sandbox", { sandbox: record.id });
    const gone = sandbox.kill("killed");
    connections.sandboxEnded(record.id, "killed");
    await within(gone, KILL_WAIT_MS);
  }
  const after = await findRecord(store.sandboxes, identity.organizationId, params.id);
  return { status: 200, body: metadataOf(after, engine) };
}

const killSandbox: Operation = {
  method: "delete",
  path: "/api/v3/sandbox/{id}",
  summary: "Kill a sandbox",
  answer: { status: 200, description: "It has stopped", schema: sandboxMetadataSchema },
  handle: kill,
};

const killSandboxV2: Operation = { ...killSandbox, path: "/api/v2/sandbox/{id}" };

const sandboxLogs: Operation = {
  method: "get",
  path: "/api/v3/sandbox/{id}/logs",
  summary: "The end of a sandbox's console, also of one that has stopped not long ago",
  answer: { status: 200, description: "Text, newest last" },
  async handle({ services, identity, params }) {
    const { engine, store } = services;
    const record = await findRecord(store.sandboxes, identity.organizationId, params.id);
    const text = await (engine.get(record.id)?.logs() ?? engine.endedLog(record.id));
    if (text === undefined) throw endedError(record);
    return { status: 200, body: text };
  },
};

export const oneSandbox: readonly Operation[] = [
  getSandbox,
  extendSandbox,
  killSandbox,
  killSandboxV2,
  sandboxLogs,
];

function running({ services, identity, params, signal }: Call) {
  const { engine, store } = services;
  const sandboxes = store.sandboxes;
  return findRunning({ engine, sandboxes, signal }, identity.organizationId, params.id);
}

async function within(work: Promise<void>, milliseconds: number): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      late.reject(
        new PaddockError("REQUEST_TIMED_OUT", {
          message: "The sandbox is being ended; that takes longer than usual.",
        }),
      ),
    milliseconds,
  );
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

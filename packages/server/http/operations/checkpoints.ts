import type { StoredCheckpoint } from "@paddock/engine";
import {
  checkpointInitSchema,
  checkpointListSchema,
  checkpointSchema,
  parseRequest,
} from "@paddock/protocol";
import { findKept, keepSandbox, keptInfo } from "./_kept.ts";
import { listPage, pageQuery } from "../list_page.ts";
import type { Operation } from "../operation.ts";

const PATH = "/api/v3/checkpoints";

function info(record: StoredCheckpoint) {
  const { name, sandboxId, labels } = record;
  return { ...keptInfo(record), name, sandboxId, labels };
}

const createCheckpoint: Operation = {
  method: "post",
  path: "/api/v3/sandbox/{id}/checkpoint",
  summary: "Keep a running sandbox as it is now",
  body: checkpointInitSchema,
  answer: { status: 201, description: "The checkpoint", schema: checkpointSchema },
  async handle(call) {
    const record = await keepSandbox(
      call,
      (body) => parseRequest(checkpointInitSchema, body ?? {}),
    );
    return { status: 201, body: info(record) };
  },
};

const listCheckpoints: Operation = {
  method: "get",
  path: PATH,
  summary: "List the organisation's checkpoints, newest first",
  query: pageQuery.parameters,
  answer: { status: 200, description: "The checkpoints", schema: checkpointListSchema },
  async handle(call) {
    const { services, identity: { organizationId } } = call;
    const { page, headers } = await listPage(
      call,
      PATH,
      (page) => services.store.checkpoints.list({ organizationId, kind: "checkpoint", ...page }),
    );
    return { status: 200, body: page.map(info), headers };
  },
};

const getCheckpoint: Operation = {
  method: "get",
  path: `${PATH}/{id}`,
  summary: "One checkpoint, by id or name",
  answer: { status: 200, description: "The checkpoint", schema: checkpointSchema },
  handle: (call) => ({ status: 200, body: info(findKept(call, "checkpoint")) }),
};

const deleteCheckpoint: Operation = {
  method: "delete",
  path: `${PATH}/{id}`,
  summary: "Delete a checkpoint; sandboxes that were made from it live on",
  answer: { status: 200, description: "It is gone", schema: checkpointSchema },
  async handle(call) {
    const record = findKept(call, "checkpoint");
    await call.services.engine.checkpoints.remove(record.id);
    call.log.info("deleted", { checkpoint: record.id });
    return { status: 200, body: info(record) };
  },
};

export const checkpoints: readonly Operation[] = [
  createCheckpoint,
  listCheckpoints,
  getCheckpoint,
  deleteCheckpoint,
];

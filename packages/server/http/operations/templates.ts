import type { StoredCheckpoint } from "@paddock/engine";
import {
  parseRequest,
  templateInitSchema,
  templateListSchema,
  templateSchema,
  templateStateSchema,
} from "@paddock/protocol";
import { findKept, keepSandbox, keptInfo } from "./_kept.ts";
import { listPage, pageQuery } from "../list_page.ts";
import type { Operation } from "../operation.ts";

const PATH = "/api/v3/templates";

function info(record: StoredCheckpoint) {
  return { ...keptInfo(record), name: record.name!, definition: record.definition! };
}

const createTemplate: Operation = {
  method: "post",
  path: "/api/v3/sandbox/{id}/template",
  summary: "Keep a running sandbox as a template, in place of one that has this name",
  body: templateInitSchema,
  answer: { status: 201, description: "The template", schema: templateSchema },
  async handle(call) {
    const record = await keepSandbox(call, (body) => parseRequest(templateInitSchema, body));
    return { status: 201, body: info(record) };
  },
};

const listTemplates: Operation = {
  method: "get",
  path: PATH,
  summary: "List the organisation's templates, newest first",
  query: pageQuery.parameters,
  answer: { status: 200, description: "The templates", schema: templateListSchema },
  async handle(call) {
    const { services, identity: { organizationId } } = call;
    const { page, headers } = await listPage(
      call,
      PATH,
      (page) => services.store.checkpoints.list({ organizationId, kind: "template", ...page }),
    );
    return { status: 200, body: page.map(info), headers };
  },
};

const getTemplate: Operation = {
  method: "get",
  path: `${PATH}/{id}`,
  summary: "One template, by name or id",
  answer: { status: 200, description: "The template", schema: templateStateSchema },
  async handle(call) {
    const record = findKept(call, "template");
    const current = await call.services.engine.checkpoints.isCurrent(record.id, call.signal);
    return { status: 200, body: { ...info(record), current } };
  },
};

const deleteTemplate: Operation = {
  method: "delete",
  path: `${PATH}/{id}`,
  summary: "Delete a template; sandboxes that were made from it live on",
  answer: { status: 200, description: "It is gone", schema: templateSchema },
  async handle(call) {
    const record = findKept(call, "template");
    await call.services.engine.checkpoints.remove(record.id);
    call.log.info("deleted", { template: record.id });
    return { status: 200, body: info(record) };
  },
};

export const templates: readonly Operation[] = [
  createTemplate,
  listTemplates,
  getTemplate,
  deleteTemplate,
];

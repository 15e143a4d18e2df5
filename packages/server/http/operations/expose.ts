import {
  exposeAnswerSchema,
  exposeRequestSchema,
  exposeSshAnswerSchema,
  exposeSshRequestSchema,
  exposeV2RequestSchema,
  parseRequest,
} from "@paddock/protocol";
import { exposeHttp, exposeSsh, previewsOf } from "../../sandbox/expose.ts";
import { findRunning } from "../../sandbox/find_sandbox.ts";
import type { Call, Operation } from "../operation.ts";

/** Who may not know the sandbox does not learn of it here either: it is looked up first. */
function running({ services, identity, signal }: Call, id: string) {
  const { engine, store } = services;
  const { sandboxes } = store;
  return findRunning({ engine, sandboxes, signal }, identity.organizationId, id);
}

const exposeHttpV3: Operation = {
  method: "post",
  path: "/api/v3/sandbox/{id}/expose/http",
  summary: "Give a server in the sandbox a public address; the client tells the agent which server",
  body: exposeRequestSchema,
  answer: { status: 200, description: "The address", schema: exposeAnswerSchema },
  async handle(call) {
    const sandbox = await running(call, call.params.id);
    const request = parseRequest(exposeRequestSchema, await call.json() ?? {});
    return { status: 200, body: exposeHttp(call.services, sandbox, "http", request) };
  },
};

const exposeVscode: Operation = {
  ...exposeHttpV3,
  path: "/api/v3/sandbox/{id}/expose/vscode",
  summary: "Give VS Code in the sandbox a public address",
  async handle(call) {
    const sandbox = await running(call, call.params.id);
    const request = parseRequest(exposeRequestSchema, await call.json() ?? {});
    previewsOf(call.services);
    await call.services.prepareVscode?.(call.signal);
    return { status: 200, body: exposeHttp(call.services, sandbox, "vscode", request) };
  },
};

const exposeSshV3: Operation = {
  method: "post",
  path: "/api/v3/sandbox/{id}/expose/ssh",
  summary: "Make the sandbox reachable by SSH",
  body: exposeSshRequestSchema,
  answer: { status: 200, description: "Where, and as whom", schema: exposeSshAnswerSchema },
  async handle(call) {
    const sandbox = await running(call, call.params.id);
    parseRequest(exposeSshRequestSchema, await call.json() ?? {});
    return { status: 200, body: exposeSsh(call.services, sandbox) };
  },
};

const exposeHttpV2: Operation = {
  ...exposeHttpV3,
  path: "/api/v2/sandbox/expose/http",
  summary: "Give a server in the sandbox a public address (client 0.2)",
  body: exposeV2RequestSchema,
  async handle(call) {
    const { sandbox_id } = parseRequest(exposeV2RequestSchema, await call.json() ?? {});
    const sandbox = await running(call, sandbox_id);
    return { status: 200, body: exposeHttp(call.services, sandbox, "http", {}) };
  },
};

const exposeSshV2: Operation = {
  ...exposeSshV3,
  path: "/api/v2/sandbox/expose/ssh",
  summary: "Make the sandbox reachable by SSH (client 0.2)",
  body: exposeV2RequestSchema,
  async handle(call) {
    const { sandbox_id } = parseRequest(exposeV2RequestSchema, await call.json() ?? {});
    const sandbox = await running(call, sandbox_id);
    return { status: 200, body: exposeSsh(call.services, sandbox) };
  },
};

export const expose: readonly Operation[] = [
  exposeHttpV3,
  exposeSshV3,
  exposeVscode,
  exposeHttpV2,
  exposeSshV2,
];

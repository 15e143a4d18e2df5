import { PaddockError } from "@paddock/protocol";
import { findRunning } from "../../sandbox/find_sandbox.ts";
import type { Call, Operation } from "../operation.ts";

const WHAT = { http: "preview URLs", ssh: "SSH", vscode: "VS Code in the browser" } as const;
type Kind = keyof typeof WHAT;

function refuse(kind: Kind): never {
  throw new PaddockError("NOT_SUPPORTED_YET", {
    message: `This Paddock does not do ${WHAT[kind]} yet.`,
  });
}

/** Who may not know the sandbox does not learn of it here either: it is looked up first. */
async function exposeById(call: Call, kind: Kind, id: string) {
  const { engine, store } = call.services;
  await findRunning({ engine, sandboxes: store.sandboxes }, call.identity.organizationId, id);
  return refuse(kind);
}

const v3 = (kind: Kind): Operation => ({
  method: "post",
  path: `/api/v3/sandbox/{id}/expose/${kind}`,
  summary: `Not yet: ${WHAT[kind]}`,
  answer: { status: 501, description: "NOT_SUPPORTED_YET" },
  handle: (call) => exposeById(call, kind, call.params.id),
});

const v2 = (kind: Kind): Operation => ({
  method: "post",
  path: `/api/v2/sandbox/expose/${kind}`,
  summary: `Not yet: ${WHAT[kind]} (client 0.2)`,
  answer: { status: 501, description: "NOT_SUPPORTED_YET" },
  async handle(call) {
    const body = await call.json();
    const id = (body as { sandbox_id?: unknown } | undefined)?.sandbox_id;
    if (typeof id !== "string") {
      throw new PaddockError("INVALID_REQUEST", {
        message: "sandbox_id: expected a sandbox's id",
        field: "sandbox_id",
      });
    }
    return await exposeById(call, kind, id);
  },
});

export const expose: readonly Operation[] = [
  v3("http"),
  v3("ssh"),
  v3("vscode"),
  v2("http"),
  v2("ssh"),
];

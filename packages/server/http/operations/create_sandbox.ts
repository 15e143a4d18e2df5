import { createdSandboxSchema, parseSandboxConfig, sandboxConfigSchema } from "@paddock/protocol";
import { createdOf } from "../../sandbox/metadata.ts";
import type { Operation } from "../operation.ts";

export const createSandbox: Operation = {
  method: "post",
  path: "/api/v3/sandboxes",
  summary: "Create a sandbox without connecting to it",
  body: sandboxConfigSchema,
  answer: { status: 201, description: "It runs", schema: createdSandboxSchema },
  async handle({ services, identity, hostRegion, json, signal }) {
    const { limits } = services.config;
    const config = parseSandboxConfig(await json() ?? {}, { limits });
    const sandbox = await services.creator.create(
      { organizationId: identity.organizationId, config, hostRegion },
      signal,
    );
    sandbox.takeGreeting()?.[Symbol.dispose]();
    services.graces.begin(sandbox);
    const headers = { "x-deno-sandbox-id": sandbox.spec.id };
    return { status: 201, body: createdOf(sandbox), headers };
  },
};

import { healthSchema, versionSchema } from "@paddock/protocol";
import { version } from "../../version.ts";
import type { Operation } from "../operation.ts";

const health: Operation = {
  method: "get",
  path: "/health",
  summary: "Whether the server takes work",
  open: true,
  answer: { status: 200, description: "It does", schema: healthSchema },
  handle({ services }) {
    services.closing.throwIfAborted();
    return { status: 200, body: { ok: true, version } };
  },
};

const versionOperation: Operation = {
  method: "get",
  path: "/version",
  summary: "The server's version and the protocols it speaks",
  open: true,
  answer: { status: 200, description: "The version", schema: versionSchema },
  handle: () => ({ status: 200, body: { version, api: ["v2", "v3"] } }),
};

export const service: readonly Operation[] = [health, versionOperation];

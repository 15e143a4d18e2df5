import assert from "node:assert/strict";
import { closeCodes, FrameType, methodNames, notificationMethods } from "@paddock/protocol";
import { createSandbox } from "../packages/server/http/operations/create_sandbox.ts";
import { expose } from "../packages/server/http/operations/expose.ts";
import { listSandboxes } from "../packages/server/http/operations/list_sandboxes.ts";
import { oneSandbox } from "../packages/server/http/operations/one_sandbox.ts";
import { service } from "../packages/server/http/operations/service.ts";

const page = await Deno.readTextFile(new URL("../docs/protocol.md", import.meta.url));
const missing = (wanted: string[]) => wanted.filter((text) => !page.includes(text));

Deno.test("docs/protocol.md has every address of the API", () => {
  const operations = [...service, listSandboxes, createSandbox, ...oneSandbox, ...expose];
  const addresses = operations.map(({ method, path }) => `\`${method.toUpperCase()} ${path}\``);
  assert.deepEqual(missing(addresses), []);
});

Deno.test("docs/protocol.md has every method, notification, frame type and close code", () => {
  assert.deepEqual(missing(methodNames.map((name) => `\`${name}\``)), []);
  assert.deepEqual(missing(Object.values(notificationMethods).map((name) => `\`${name}\``)), []);
  assert.deepEqual(
    missing(Object.entries(FrameType).map(([name, type]) => `| ${type} | ${name.toLowerCase()} |`)),
    [],
  );
  assert.deepEqual(missing(Object.values(closeCodes).map((code) => `| ${code} |`)), []);
});

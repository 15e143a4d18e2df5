import assert from "node:assert/strict";
import type { StoredCheckpoint } from "@paddock/engine";
import {
  defaultLimits,
  templateListSchema,
  templateSchema,
  templateStateSchema,
} from "@paddock/protocol";
import { ask } from "../testing/ask.ts";
import { serveStandIn, type StandInServer } from "../testing/serve_stand_in.ts";

const MiB = 1024 * 1024;

/** A record alone: there are no files, and the stand-in engine needs none. */
async function keep(server: StandInServer, more: Partial<StoredCheckpoint> = {}): Promise<string> {
  const { checkpoints, organizations } = server.store;
  const record: StoredCheckpoint = {
    ...{
      id: "tpl_ams_00000000000000000001",
      kind: "template",
      name: null,
      definition: "a".repeat(64),
    },
    organizationId: await organizations.ensure("default"),
    ...{ region: "ams", state: "creating", driver: "gvisor", sandboxId: "sbx", labels: {} },
    ...{ memoryBytes: 640 * MiB, bytes: 5, createdAt: 1_000 },
    ...more,
  };
  checkpoints.insert(record, defaultLimits);
  checkpoints.publish(record.id, 7, "web");
  return record.id;
}

Deno.test("templates are listed and found by name and id, each organisation's own", async () => {
  await using server = await serveStandIn();
  const id = await keep(server);
  const { body: [listed] } = await ask(server, "GET", "/api/v3/templates");
  assert.deepEqual(templateSchema.parse(listed), listed);
  assert.deepEqual([listed.id, listed.name, listed.memoryMb, listed.bytes], [id, "web", 640, 7]);
  for (const key of [id, "web"]) {
    const { body } = await ask(server, "GET", `/api/v3/templates/${key}`);
    assert.deepEqual(templateStateSchema.parse(body), { ...listed, current: true });
    // It is none of the checkpoints.
    assert.equal((await ask(server, "GET", `/api/v3/checkpoints/${key}`)).status, 404);
    for (const method of ["GET", "DELETE"]) {
      const path = `/api/v3/templates/${key}`;
      const { status, body } = await ask(server, method, path, undefined, server.otherToken);
      assert.deepEqual([status, body.code], [404, "TEMPLATE_NOT_FOUND"]);
    }
  }
  assert.deepEqual((await ask(server, "GET", "/api/v3/checkpoints")).body, []);
  const theirs = await ask(server, "GET", "/api/v3/templates", undefined, server.otherToken);
  assert.deepEqual(templateListSchema.parse(theirs.body), []);
});

Deno.test("pages of templates, newest first", async () => {
  await using server = await serveStandIn();
  const { checkpoints } = server.store;
  for (const n of [1, 2, 3]) {
    const id = await keep(server, { id: `tpl_ams_0000000000000000000${n}`, createdAt: n });
    checkpoints.update(id, { name: `web-${n}` });
  }
  const first = await ask(server, "GET", "/api/v3/templates?limit=2");
  const next = /<([^>]*)>; rel="next"/.exec(first.headers.get("link")!)![1];
  const { pathname, search } = new URL(next);
  const second = await ask(server, "GET", pathname + search);
  const names = [...first.body, ...second.body].map(({ name }) => name);
  assert.deepEqual(names, ["web-3", "web-2", "web-1"]);
});

Deno.test("a sandbox is made of a template: its memory unless another is asked for", async () => {
  await using server = await serveStandIn();
  const checkpoint = await keep(server);
  const create = (config: unknown, token?: string) =>
    ask(server, "POST", "/api/v3/sandboxes", config, token);
  const made = await create({ template: "web", timeout: "1m", env: { A: "1" } });
  assert.equal(made.status, 201);
  const { template, checkpoint: used, memoryBytes, env, region } = server.engine.lastSpec!;
  assert.deepEqual(
    { template, used, memoryBytes, env, region },
    { template: "web", used: checkpoint, memoryBytes: 640 * MiB, env: { A: "1" }, region: "ams" },
  );
  const { body } = await ask(server, "GET", `/api/v3/sandbox/${made.body.id}`);
  assert.equal(body.template, "web");
  await create({ template: checkpoint, timeout: "1m", memory_mb: 256 });
  assert.equal(server.engine.lastSpec!.memoryBytes, 256 * MiB);
  for (const [reference, token] of [["unknown", undefined], ["web", server.otherToken]] as const) {
    const refused = await create({ template: reference, timeout: "1m" }, token);
    const { code, field } = refused.body;
    assert.deepEqual([refused.status, code, field], [404, "TEMPLATE_NOT_FOUND", "template"]);
  }
});

Deno.test("what a template is kept as is checked", async () => {
  await using server = await serveStandIn();
  const { body: { id } } = await ask(server, "POST", "/api/v3/sandboxes", { timeout: "1m" });
  const definition = "a".repeat(64);
  const cases: [unknown, string | undefined][] = [
    [undefined, undefined],
    [{ definition }, "name"],
    [{ name: "Web", definition }, "name"],
    [{ name: "web" }, "definition"],
    [{ name: "web", definition: "../x" }, "definition"],
    [{ name: "web", definition, packages: [] }, "packages"],
  ];
  for (const [body, field] of cases) {
    const answer = await ask(server, "POST", `/api/v3/sandbox/${id}/template`, body);
    assert.deepEqual([answer.status, answer.body.code, answer.body.field], [
      400,
      "INVALID_REQUEST",
      field,
    ]);
  }
});

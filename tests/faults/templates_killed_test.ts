import { readdir } from "node:fs/promises";
import assert from "node:assert/strict";
import { Client, Sandbox } from "@paddock/sandbox";
import { startAfter, startServer, stopWithoutTrace, type TestServer } from "../harness.ts";

/** When each server is killed: by the step that is under way, and so long after it began. */
const rounds = [
  { step: "commands[0]", afterMs: 50 },
  { step: "checkpoint", afterMs: 100 },
  { step: "checkpoint", afterMs: 500 },
  { step: "checkpoint", afterMs: 1_200 },
];

Deno.test("kill -9 of the server while a template is built: the new one, or the one before", async () => {
  let server: TestServer = await startServer({ keepData: true });
  const { dataDir } = server;
  const seen = new Set<string>();
  try {
    let acknowledged = await build(server, "round.txt of the first");
    for (const [round, { step, afterMs }] of rounds.entries()) {
      const killed = Promise.withResolvers<void>();
      const { stop } = server;
      const owned = await server.owned();
      const content = `round ${round}`;
      const work = build(server, content, (begun) => {
        if (begun === step) setTimeout(() => stop("SIGKILL").then(killed.resolve), afterMs);
      });
      const outcome = await work.then(() => "done", () => "cut off");
      await killed.promise;
      seen.add(outcome);
      server = await startAfter(owned, dataDir);
      const found = await whatIsThere(server);
      // Published, it is there, told or not; else the one before is, whole.
      assert.ok([content, acknowledged].includes(found), `${found} after ${step}+${afterMs}`);
      if (outcome === "done") assert.equal(found, content);
      acknowledged = found;
    }
    assert.ok(seen.has("cut off"), [...seen].join());
    await stopWithoutTrace(server);
  } finally {
    await server.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
});

async function build(
  { api, token }: TestServer,
  content: string,
  onStep: (step: string) => void = () => {},
): Promise<string> {
  const { templates } = new Client({ endpoint: api, token });
  await templates.build({
    name: "built",
    commands: [`sleep 0.2; printf %s '${content}' > round.txt`],
  }, {
    onLog: ({ step, text }) => {
      if (text === undefined) onStep(step);
    },
  });
  return content;
}

/** Records and files say the same, no sandbox is left, and a sandbox can be made of what is there. */
async function whatIsThere({ api, token, dataDir }: TestServer): Promise<string> {
  const options = { endpoint: api, token };
  const client = new Client(options);
  const listed = await client.templates.list();
  assert.deepEqual(listed.map(({ name }) => name), ["built"]);
  assert.deepEqual(await readdir(`${dataDir}/checkpoints`), listed.map(({ id }) => id));
  assert.deepEqual(await client.sandboxes.list(), []);
  await using sandbox = await Sandbox.create({ ...options, template: "built" });
  return await sandbox.readTextFile("round.txt");
}

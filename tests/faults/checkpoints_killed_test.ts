import { readdir } from "node:fs/promises";
import assert from "node:assert/strict";
import { Client, Sandbox } from "@paddock/sandbox";
import { delay, startAfter, startServer, stopWithoutTrace, type TestServer } from "../harness.ts";

/** How long each server works before it is killed: while it writes, verifies, restores, or is done. */
const rounds = [60, 250, 600, 2_500];

Deno.test("kill -9 of the server during checkpoints and forks: whole or gone", async () => {
  let server: TestServer = await startServer({ keepData: true });
  const { dataDir } = server;
  const seen = new Set<string>();
  try {
    for (const [round, ms] of rounds.entries()) {
      const { api, token } = server;
      const sandbox = await Sandbox.create({ endpoint: api, token, timeout: "5m" });
      await sandbox.writeTextFile("round.txt", `${round}`);
      const works = [
        sandbox.checkpoint({ name: `round-${round}` }),
        sandbox.fork(2).then((forks) => forks.forEach((fork) => fork.close().catch(() => {}))),
      ].map((work) => work.then(() => "done", () => "cut off"));
      await delay(ms);
      const owned = await server.owned();
      await server.stop("SIGKILL");
      for (const outcome of await Promise.all(works)) seen.add(outcome);
      await sandbox.close().catch(() => {});
      server = await startAfter(owned, dataDir);
      await allIsWhole(server);
    }
    // What was acknowledged is there, and so is every one that is listed.
    const options = { endpoint: server.api, token: server.token };
    const kept = await new Client(options).checkpoints.list();
    for (const { name } of kept) {
      await using sandbox = await Sandbox.create({ ...options, checkpoint: name! });
      assert.equal(`round-${await sandbox.readTextFile("round.txt")}`, name);
    }
    assert.ok(seen.has("cut off"), [...seen].join());
    await stopWithoutTrace(server);
  } finally {
    await server.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
});

async function allIsWhole({ api, token, dataDir }: TestServer): Promise<void> {
  const client = new Client({ endpoint: api, token });
  const ids = (await client.checkpoints.list()).map(({ id }) => id);
  assert.deepEqual((await readdir(`${dataDir}/checkpoints`)).sort(), ids.sort());
  assert.deepEqual(await readdir(`${dataDir}/forks`), []);
  assert.deepEqual(await client.sandboxes.list(), []);
}

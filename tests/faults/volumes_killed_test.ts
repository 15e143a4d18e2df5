import { readdir } from "node:fs/promises";
import assert from "node:assert/strict";
import { Client, Sandbox } from "@paddock/sandbox";
import { delay, startAfter, startServer, stopWithoutTrace, type TestServer } from "../harness.ts";

/** How long each server works before it is killed: some while copies are made, some while all is quiet. */
const rounds = [40, 400, 1_100, 2_500];

Deno.test("kill -9 of the server, whatever its volumes are doing", async () => {
  await using first = await startServer({ keepData: true });
  const { dataDir } = first;
  const init = { region: "ord", capacity: "200MB" } as const;
  const { volumes } = clientOf(first);
  await volumes.create({ ...init, slug: "kept" });
  await volumes.create({ ...init, slug: "root", capacity: "1GiB", from: "builtin:debian-13" });
  await using writer = await createOn(first, { volumes: { "/data": "kept" } });
  await writer.sh`head -c 60M /dev/urandom > /data/ballast; echo start > /data/log`;
  await writer.close();
  await volumes.snapshot("kept", { slug: "snap" });

  let server: TestServer = first;
  let acknowledged = "start\n";
  const seen = new Set<string>();
  try {
    for (const [round, ms] of rounds.entries()) {
      const client = clientOf(server);
      const sandbox = await createOn(server, { timeout: "5m", volumes: { "/data": "kept" } });
      const line = `round ${round}\n`;
      await sandbox.sh`echo ${line.trim()} >> /data/log && sync /data/log`;
      acknowledged += line;
      const works = [
        client.volumes.create({ ...init, slug: `copy-${round}`, from: "snap" }),
        client.volumes.snapshot("root", { slug: `root-${round}` }),
        client.volumes.create({ ...init, slug: `empty-${round}` })
          .then(() => client.volumes.delete(`empty-${round}`)),
      ].map((work) => work.then(() => "done", () => "cut off"));
      await delay(ms);
      const owned = await server.owned();
      await server.stop("SIGKILL");
      for (const outcome of await Promise.all(works)) seen.add(outcome);
      await sandbox.close().catch(() => {});
      server = await startAfter(owned, dataDir);
      await allIsWhole(server);
    }
    const client = clientOf(server);
    const kept = await createOn(server, { volumes: { "/data": "kept" } });
    assert.equal(await kept.sh`cat /data/log`.text(), acknowledged);
    await kept.close();
    // What a killed server promised holds: a copy that was listed is a copy.
    for await (const { slug, id } of await client.volumes.list({ search: "copy-" })) {
      const copy = await createOn(server, { volumes: { "/copy": id } });
      assert.equal(
        await copy.sh`cat /copy/log; stat -c %s /copy/ballast`.text(),
        "start\n62914560\n",
        slug,
      );
      await copy.close();
    }
    assert.ok(seen.has("done") && seen.has("cut off"), [...seen].join());
    await stopWithoutTrace(server);
  } finally {
    await server.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
});

/** Every record has its file and every file its record, and nothing is in use. */
async function allIsWhole(server: TestServer): Promise<void> {
  const client = clientOf(server);
  const ids: string[] = [];
  for await (const volume of await client.volumes.list()) {
    assert.equal(volume.attachedTo, null, volume.slug);
    assert.ok(volume.estimatedFlattenedSize > 0, volume.slug);
    ids.push(volume.id);
  }
  for await (const { id } of await client.snapshots.list()) ids.push(id);
  const files = (await readdir(`${server.dataDir}/volumes`)).filter((name) => name !== ".base");
  assert.deepEqual(files.sort(), ids.map((id) => `${id}.img`).sort());
  assert.doesNotMatch(await server.log(), /file of a volume is missing|without a record/);
}

function clientOf({ api, token }: TestServer): Client {
  return new Client({ endpoint: api, token });
}

function createOn({ api, token }: TestServer, options: Parameters<typeof Sandbox.create>[0]) {
  return Sandbox.create({ endpoint: api, token, ...options });
}

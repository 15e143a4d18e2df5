import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import WebSocket, { WebSocketServer } from "ws";

const MiB = 1024 * 1024;
const CHUNK = new Uint8Array(256 * 1024);

interface Running extends AsyncDisposable {
  /** Resident memory of the server's process. */
  resident(): Promise<number>;
  /** A client's WebSocket and the agent's end of the same. */
  connect(): Promise<{ client: WebSocket; agent: WebSocket }>;
}

/** The server in a process of its own, so that its memory can be told from the test's. */
async function serve(): Promise<Running> {
  const agents = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  await once(agents, "listening");
  const { port } = agents.address() as AddressInfo;
  const main = new URL("../testing/stand_in_main.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", main, String(port)],
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { url, token, pid } = JSON.parse((await lines.read()).value!);
  return {
    async resident() {
      const status = await readFile(`/proc/${pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
    },
    async connect() {
      const arriving = once(agents, "connection");
      const client = new WebSocket(`${url.replace("http", "ws")}/api/v3/sandboxes/create`, {
        headers: { authorization: `Bearer ${token}` },
        perMessageDeflate: false,
      });
      await once(client, "open");
      const [agent] = await arriving;
      return { client, agent };
    },
    async [Symbol.asyncDispose]() {
      for (const agent of agents.clients) agent.terminate();
      child.kill("SIGTERM");
      await lines.cancel();
      await child.status;
      agents.close();
      await once(agents, "close");
    },
  };
}

/** Sends until so much is sent or the other side has stopped taking for a while. */
async function send(from: WebSocket, total: number): Promise<number> {
  let sent = 0;
  let stuck = 0;
  while (sent < total && stuck < 100) {
    if (from.bufferedAmount > 2 * MiB) {
      stuck++;
      await new Promise((again) => setTimeout(again, 10));
      continue;
    }
    stuck = 0;
    from.send(CHUNK);
    sent += CHUNK.length;
    await new Promise((again) => setImmediate(again));
  }
  return sent - from.bufferedAmount;
}

Deno.test("a side that does not read stops the other, and the server holds little", async () => {
  await using server = await serve();
  for (const direction of ["to the client", "to the agent"]) {
    const { client, agent } = await server.connect();
    const [from, to] = direction === "to the client" ? [agent, client] : [client, agent];
    to.pause();
    const before = await server.resident();
    const taken = await send(from, 256 * MiB);
    const grown = await server.resident() - before;
    assert.ok(taken < 32 * MiB, `${direction}: ${taken / MiB} MiB were taken`);
    assert.ok(grown < 32 * MiB, `${direction}: the server grew by ${grown / MiB} MiB`);
    client.terminate();
  }
});

Deno.test("memory stays flat while half a gigabyte passes each way", async () => {
  await using server = await serve();
  const { client, agent } = await server.connect();
  const before = await server.resident();
  let most = 0;
  const watch = setInterval(async () => most = Math.max(most, await server.resident()), 100);
  for (const [from, to] of [[agent, client], [client, agent]]) {
    let got = 0;
    const all = Promise.withResolvers<void>();
    to.on("message", (data: Uint8Array) => (got += data.length) >= 512 * MiB && all.resolve());
    await send(from, 512 * MiB);
    await all.promise;
    to.removeAllListeners("message");
  }
  clearInterval(watch);
  const grown = (most - before) / MiB;
  assert.ok(grown < 64, `the server grew by ${Math.round(grown)} MiB`);
  client.terminate();
});

import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { encodeFrame, FrameType, type PaddockError, SUBPROTOCOL } from "@paddock/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { AgentClient } from "./agent_client.ts";

const limits = { upgradeTimeoutMs: 2_000 };
const MiB = 1024 * 1024;

/** A guest that does what a test wants of it. */
async function fakeAgent(
  serve: (socket: WebSocket, authorization: string | undefined) => void,
  protocol: string | false = SUBPROTOCOL,
) {
  const server = new WebSocketServer({
    ...{ host: "127.0.0.1", port: 0, perMessageDeflate: false },
    handleProtocols: () => protocol,
  });
  await new Promise((resolve) => server.once("listening", resolve));
  server.on("connection", (socket, request) => {
    socket.on("error", () => {});
    serve(socket, request.headers.authorization);
  });
  const { port } = server.address() as AddressInfo;
  const connect = (maxStreams = 4) =>
    AgentClient.connect(
      { host: "127.0.0.1", port, token: "secret" },
      { limits, maxStreams, signal: AbortSignal.timeout(10_000) },
    );
  return {
    connect,
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const answer = (socket: WebSocket, reply: (request: { id: number; method: string }) => unknown) =>
  socket.on("message", (data, binary) => {
    if (binary) return;
    const message = JSON.parse(String(data));
    if ("id" in message) {
      socket.send(JSON.stringify({ jsonrpc: "2.0", ...reply(message) as object }));
    }
  });

const isCode = (code: string) => (error: unknown) => (error as PaddockError).code === code;

Deno.test("calls are answered, with the token shown and errors of the guest as they are", async () => {
  await using agent = await fakeAgent((socket, authorization) => {
    assert.equal(authorization, "Bearer secret");
    answer(socket, ({ id, method }) => {
      if (method === "envGet") return { id, result: { ok: "value" } };
      if (method === "envSet") {
        return { id, result: { error: { name: "TypeError", message: "no" } } };
      }
      return { id, error: { code: -32601, message: "none" } };
    });
  });
  await using client = await agent.connect();
  assert.equal(await client.call("envGet", { key: "A" }), "value");
  await assert.rejects(client.call("envSet", { key: "A", value: "b" }), /no/);
  await assert.rejects(client.call("envDelete", { key: "A" }), /none/);
});

Deno.test("streams go both ways, and one that the guest made up is refused", async () => {
  const received: number[] = [];
  await using agent = await fakeAgent((socket) => {
    socket.on("message", (data: Uint8Array, binary) => {
      if (binary && data[0] === FrameType.Data) received.push(data.length - 9);
    });
    const notify = (method: string, params: unknown) =>
      socket.send(JSON.stringify({ jsonrpc: "2.0", method, params }));
    notify("$sandbox.stream.start", { streamId: 7 });
    socket.send(encodeFrame(FrameType.Data, 7, new TextEncoder().encode("hello")));
    socket.send(encodeFrame(FrameType.End, 7));
    answer(socket, ({ id }) => ({ id, result: { ok: null } }));
  });
  await using client = await agent.connect();
  client.sendStream(new Blob([new Uint8Array(1000)]).stream());
  await client.call("envSet", { key: "A", value: "b" });
  assert.equal(await new Response(client.receiveStream(7)).text(), "hello");
  assert.throws(() => client.receiveStream(8), isCode("STREAM_NOT_FOUND"));
  assert.throws(() => client.receiveStream(-1), isCode("STREAM_NOT_FOUND"));
  assert.deepEqual(received, [1000]);
});

Deno.test("a guest that does not answer loses the connection at the deadline", async () => {
  await using agent = await fakeAgent(() => {});
  await using client = await agent.connect();
  const other = assert.rejects(
    client.call("processWait", { pid: 1 }, { deadlineMs: null }),
    isCode("CONNECTION_LOST"),
  );
  await assert.rejects(
    client.call("envGet", { key: "A" }, { deadlineMs: 100 }),
    isCode("REQUEST_TIMED_OUT"),
  );
  await other;
  await client.closed;
  await assert.rejects(client.call("envGet", { key: "A" }), isCode("CONNECTION_LOST"));
});

Deno.test("what is no agent is not connected to", async () => {
  await using agent = await fakeAgent(() => {}, false);
  await assert.rejects(agent.connect(), isCode("AGENT_UNREACHABLE"));
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const silent = listener.accept();
  await assert.rejects(
    AgentClient.connect({ host: "127.0.0.1", port, token: "" }, {
      limits: { upgradeTimeoutMs: 200 },
      ...{ maxStreams: 1, signal: AbortSignal.timeout(10_000) },
    }),
    isCode("AGENT_UNREACHABLE"),
  );
  (await silent).close();
  listener.close();
});

const attacks: Record<string, (socket: WebSocket) => void> = {
  "answers to nothing": (socket) => {
    for (let i = 0; i < 2_000; i++) {
      socket.send(`{"jsonrpc":"2.0","id":${1e6 + i},"result":{"ok":null}}`);
    }
  },
  "text that is no message": (socket) => {
    for (let i = 0; i < 2_000; i++) socket.send("[".repeat(1_000));
  },
  "frames that are none": (socket) => {
    for (let i = 0; i < 2_000; i++) socket.send(new Uint8Array([9, 9, 9]));
  },
  "a message without an end": (socket) => socket.send(new Uint8Array(3 * MiB)),
  "streams without a number": (socket) => {
    for (let i = 0; i < 2_000; i++) {
      socket.send(`{"jsonrpc":"2.0","method":"$sandbox.stream.start","params":{"streamId":${i}}}`);
    }
  },
  "requests of its own": (socket) => {
    for (let i = 0; i < 2_000; i++) socket.send(`{"jsonrpc":"2.0","id":${i},"method":"readFile"}`);
  },
};

for (const [name, attack] of Object.entries(attacks)) {
  Deno.test(`a guest that sends ${name} loses the connection`, async () => {
    await using agent = await fakeAgent((socket) => attack(socket));
    await using client = await agent.connect();
    await client.closed;
  });
}

Deno.test("streams that nobody has asked for hold little", async () => {
  await using agent = await fakeAgent((socket) => {
    for (let i = 0; i < 100; i++) {
      socket.send(`{"jsonrpc":"2.0","method":"$sandbox.stream.start","params":{"streamId":${i}}}`);
      socket.send(encodeFrame(FrameType.Data, i, new Uint8Array(MiB)));
    }
    answer(socket, ({ id }) => ({ id, result: { ok: "still here" } }));
  });
  await using client = await agent.connect(4);
  assert.equal(await client.call("envGet", { key: "A" }), "still here");
});

import assert from "node:assert/strict";
import fc from "fast-check";
import { accept, connect, deliver, readAll, source, until } from "./_connected_hubs.ts";
import type { Codec } from "./codec.ts";
import { devalueCodec } from "./devalue_codec.ts";
import { encodeFrame, FrameType } from "./frame.ts";
import { jsonCodec, richCodec } from "./json_codec.ts";
import { PaddockError } from "./paddock_error.ts";
import { StreamHub, type StreamHubOptions } from "./stream_hub.ts";

type Mode = StreamHubOptions["mode"];

const modes: [string, Mode, Codec][] = [
  ["credit", "credit", richCodec],
  ["plain json", "plain", jsonCodec],
  ["plain devalue", "plain", devalueCodec],
];

for (const [name, mode, codec] of modes) {
  Deno.test(`${name}: any bytes in any chunks arrive as they were sent`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
        fc.integer({ min: 8, max: 500 }),
        fc.integer({ min: 1, max: 400 }),
        fc.boolean(),
        fc.boolean(),
        async (chunks, windowBytes, streamChunkBytes, byteSource, byobReader) => {
          const { a, b } = connect(mode, codec, {
            windowBytes,
            limits: { streamChunkBytes },
          });
          let next = 0;
          const readable = new ReadableStream<Uint8Array>({
            ...(byteSource ? { type: "bytes" } : {}),
            pull(controller: ReadableByteStreamController) {
              while (next < chunks.length && chunks[next].length === 0) next++;
              if (next < chunks.length) return controller.enqueue(chunks[next++].slice());
              controller.close();
              if (byteSource) controller.byobRequest?.respond(0);
            },
          } as UnderlyingDefaultSource<Uint8Array>);
          const inbound = await accept(b, a.openOutbound(readable));
          const parts: number[] = [];
          if (byobReader) {
            const reader = inbound.getReader({ mode: "byob" });
            while (true) {
              const { value, done } = await reader.read(new Uint8Array(17));
              if (done) break;
              parts.push(...value);
            }
          } else {
            for await (const chunk of inbound) parts.push(...chunk);
          }
          assert.deepEqual(parts, chunks.flatMap((chunk) => [...chunk]));
          await until(() => a.openStreams.outbound === 0 && b.openStreams.inbound === 0);
          assert.equal(b.bufferedBytes, 0);
        },
      ),
      { numRuns: 60 },
    );
  });

  Deno.test(`${name}: the source's error arrives as that error, after the bytes before it`, async () => {
    const { a, b } = connect(mode, codec);
    let pulls = 0;
    const readable = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(new Uint8Array([1]));
        else controller.error(Object.assign(new RangeError("broken"), { code: "EBROKEN" }));
      },
    });
    const reader = (await accept(b, a.openOutbound(readable))).getReader();
    assert.deepEqual((await reader.read()).value, new Uint8Array([1]));
    await assert.rejects(reader.read(), (error: RangeError & { code?: string }) => {
      assert.ok(error instanceof RangeError);
      assert.equal(error.message, "broken");
      assert.equal(error.code, "EBROKEN");
      return true;
    });
    assert.deepEqual(a.openStreams, { inbound: 0, outbound: 0 });
  });

  Deno.test(`${name}: a reader that gives up stops the source with its reason`, async () => {
    for (const kind of ["bytes", "default"] as const) {
      const { a, b } = connect(mode, codec);
      const { state, readable } = source(1_000_000, 1000, kind);
      const inbound = await accept(b, a.openOutbound(readable));
      const reader = inbound.getReader();
      await reader.read();
      await reader.cancel(new TypeError("enough"));
      await until(() => state.cancelled !== undefined);
      assert.ok(state.cancelled instanceof TypeError);
      assert.equal(state.cancelled.message, "enough");
      await until(() => a.openStreams.outbound === 0 && b.openStreams.inbound === 0);
      assert.equal(b.bufferedBytes, 0);
    }
  });

  Deno.test(`${name}: a lost connection ends every stream on both sides`, async () => {
    const { a, b } = connect(mode, codec);
    const { state, readable } = source(1_000_000, 1000);
    const idle = source(0, 0);
    const waiting = new ReadableStream<Uint8Array>({
      cancel(reason) {
        idle.state.cancelled = reason;
      },
    });
    const reader = (await accept(b, a.openOutbound(readable))).getReader();
    await reader.read();
    const waitingId = a.openOutbound(waiting);
    await until(() => b.openStreams.inbound === 2);
    const waitingReader = b.acceptInbound(waitingId).getReader();
    const pending = waitingReader.read();
    const unread = a.openOutbound(source(1, 10).readable);
    await until(() => b.openStreams.inbound === 3);
    a.close();
    b.close();
    a.close();
    const lost = { code: "CONNECTION_LOST" };
    await assert.rejects(pending, lost);
    await assert.rejects(async () => {
      while (!(await reader.read()).done);
    }, lost);
    assert.throws(() => b.acceptInbound(unread), { code: "STREAM_NOT_FOUND" });
    await until(() => idle.state.cancelled !== undefined && state.cancelled !== undefined);
    assert.equal((state.cancelled as PaddockError).code, "CONNECTION_LOST");
    await until(() => a.openStreams.outbound === 0 && b.openStreams.inbound === 0);
    const late = source(1, 1);
    a.openOutbound(late.readable);
    await until(() => late.state.cancelled !== undefined);
  });

  Deno.test(`${name}: a connection that refuses a message cancels the source`, async () => {
    const { state, readable } = source(10, 10);
    const hub = new StreamHub({
      mode,
      codec,
      send: () => Promise.reject(new Error("socket is closed")),
    });
    hub.openOutbound(readable);
    await until(() => state.cancelled !== undefined);
    await until(() => hub.openStreams.outbound === 0);
  });

  Deno.test(`${name}: chunks that are not bytes fail the stream, not the connection`, async () => {
    const { a, b } = connect(mode, codec);
    const readable = new ReadableStream({
      start: (controller) => controller.enqueue("text"),
    }) as unknown as ReadableStream<Uint8Array>;
    const inbound = await accept(b, a.openOutbound(readable));
    await assert.rejects(readAll(inbound), /Uint8Array/);
  });

  Deno.test(`${name}: a stream is taken once, under the id it has`, async () => {
    const { a, b } = connect(mode, codec);
    const id = a.openOutbound(source(1, 5).readable);
    assert.ok(Number.isSafeInteger(id) && id < 2 ** 45);
    assert.notEqual(connect(mode, codec).a.openOutbound(source(1, 5).readable), id);
    const inbound = await accept(b, id);
    for (const unknown of [id, id + 1, -1, NaN]) {
      assert.throws(() => b.acceptInbound(unknown), { code: "STREAM_NOT_FOUND" });
    }
    assert.equal((await readAll(inbound)).length, 5);
  });

  Deno.test(`${name}: a stream that is over before it is taken is kept for its reader`, async () => {
    const { a, b } = connect(mode, codec);
    const id = a.openOutbound(source(3, 5).readable);
    await until(() => a.openStreams.outbound === 0);
    assert.equal((await readAll(b.acceptInbound(id))).length, 15);
    const unwanted = a.openOutbound(source(1, 5).readable);
    await until(() => a.openStreams.outbound === 0);
    b.refuseInbound(unwanted);
    b.refuseInbound(unwanted);
    await until(() => b.openStreams.inbound === 0);
    assert.equal(b.bufferedBytes, 0);
  });

  Deno.test(`${name}: too many streams are refused by name`, async () => {
    const { a, b, protocolErrors } = connect(mode, codec, { limits: { streamsPerConnection: 3 } });
    const states: { cancelled: unknown }[] = [];
    for (let i = 0; i < 4; i++) {
      const { state, readable } = source(1000, 10);
      states.push(state);
      a.openOutbound(readable);
    }
    await until(() => states[3].cancelled !== undefined);
    assert.equal((states[3].cancelled as PaddockError).code, "TOO_MANY_STREAMS");
    assert.equal(protocolErrors[0].details?.limit, "streamsPerConnection");
    assert.equal(b.openStreams.inbound, 3);
    a.close();
    b.close();
  });
}

Deno.test("streams that nobody ever asked for make room for new ones", async () => {
  const { a, b, protocolErrors } = connect("credit", richCodec, {
    limits: { streamsPerConnection: 3, streamStallMs: 20 },
  });
  for (let i = 0; i < 3; i++) a.openOutbound(source(1, 10).readable);
  await until(() => b.openStreams.inbound === 3);
  await new Promise((resolve) => setTimeout(resolve, 25));
  const id = a.openOutbound(source(1, 10).readable);
  await until(() => b.openStreams.inbound === 1);
  assert.equal((await readAll(b.acceptInbound(id))).length, 10);
  assert.deepEqual(protocolErrors, []);
});

Deno.test("credit: a slow reader holds the sender to its window", async () => {
  const window = 64 * 1024;
  const chunk = 8 * 1024;
  for (const kind of ["bytes", "default"] as const) {
    const { a, b } = connect("credit", richCodec, {
      windowBytes: window,
      limits: { streamChunkBytes: chunk },
    });
    const total = 200;
    const { state, readable } = source(total, chunk, kind);
    const inbound = await accept(b, a.openOutbound(readable));
    let taken = 0;
    let mostBuffered = 0;
    let mostAhead = 0;
    const reader = inbound.getReader();
    while (true) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      mostBuffered = Math.max(mostBuffered, b.bufferedBytes);
      mostAhead = Math.max(mostAhead, state.pulled * chunk - taken);
      const { value, done } = await reader.read();
      if (done) break;
      taken += value.length;
    }
    assert.equal(taken, total * chunk);
    assert.ok(mostBuffered <= window, `${mostBuffered} bytes buffered`);
    assert.ok(mostBuffered > window / 2, "the window is used");
    assert.ok(mostAhead <= window + 2 * chunk, `${mostAhead} bytes read ahead`);
  }
});

Deno.test("credit: a reader that reads ahead lets more come, and no more than that", async () => {
  const window = 64 * 1024;
  const { a, b } = connect("credit", richCodec, {
    windowBytes: window,
    limits: { streamChunkBytes: 8 * 1024 },
    readAheadBytes: 4 * window,
  });
  const { readable } = source(200, 8 * 1024);
  const inbound = await accept(b, a.openOutbound(readable));
  await until(() => b.bufferedBytes >= 3 * window);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(b.bufferedBytes <= 4 * window, `${b.bufferedBytes} bytes buffered`);
  assert.equal((await readAll(inbound)).length, 200 * 8 * 1024);
});

Deno.test("credit: memory of sent frames is used again only where the connection allows it", async () => {
  for (const recycle of [true, false]) {
    const held: Uint8Array[] = [];
    const received: StreamHub = new StreamHub({
      mode: "credit",
      codec: richCodec,
      send: (data) => void hub.handle(data as Uint8Array),
    });
    const hub: StreamHub = new StreamHub({
      mode: "credit",
      codec: richCodec,
      recycle,
      async send(data) {
        if (typeof data === "string") return deliver(received, richCodec, data);
        await Promise.resolve();
        received.handle(data.slice());
        held.push(data);
        await Promise.resolve();
      },
    });
    const id = hub.openOutbound(source(100, 16 * 1024, "bytes").readable);
    const bytes = await readAll(received.acceptInbound(id));
    assert.equal(bytes.length, 100 * 16 * 1024);
    for (let i = 0; i < 100; i++) assert.equal(bytes[i * 16 * 1024 + 77], i + 1);
    const reused = held.filter((frame) => frame.buffer.byteLength === 0).length;
    assert.ok(recycle ? reused > 40 : reused === 0, `${reused} of ${held.length} reused`);
  }
});

Deno.test("credit: one stalled stream does not hold up another", async () => {
  const { a, b } = connect("credit", richCodec, { windowBytes: 1000 });
  a.openOutbound(source(1_000_000, 500).readable);
  const lively = a.openOutbound(source(500, 500).readable);
  await until(() => b.openStreams.inbound === 2);
  assert.equal((await readAll(b.acceptInbound(lively))).length, 250_000);
  a.close();
  b.close();
});

Deno.test("credit: a sender that ignores its window is cut off", async () => {
  const sent: Uint8Array[] = [];
  const hub = new StreamHub({
    mode: "credit",
    codec: richCodec,
    send: (data) => void sent.push(data as Uint8Array),
    windowBytes: 1000,
  });
  deliver(hub, richCodec, richCodec.encodeNotification({ type: "stream.start", streamId: 5 }));
  for (let i = 0; i < 100; i++) hub.handle(encodeFrame(FrameType.Data, 5, new Uint8Array(100)));
  assert.equal(hub.bufferedBytes, 0);
  assert.equal(sent.length, 1);
  assert.equal(sent[0][0], FrameType.Cancel);
  assert.throws(() => hub.acceptInbound(5), { code: "STREAM_NOT_FOUND" });

  deliver(hub, richCodec, richCodec.encodeNotification({ type: "stream.start", streamId: 6 }));
  const stream = hub.acceptInbound(6);
  for (let i = 0; i < 100; i++) hub.handle(encodeFrame(FrameType.Data, 6, new Uint8Array(100)));
  await assert.rejects(readAll(stream), { code: "STREAM_OVERFLOW" });
});

Deno.test("credit: many small chunks are granted for in few messages", async () => {
  const { a, b, sent } = connect("credit", richCodec);
  const inbound = await accept(b, a.openOutbound(source(1000, 100).readable));
  assert.equal((await readAll(inbound)).length, 100_000);
  assert.equal(sent.b, 0);
});

Deno.test("credit: a frame in a shared buffer is copied, one of its own is not", async () => {
  const hub = new StreamHub({ mode: "credit", codec: richCodec, send: () => {} });
  deliver(hub, richCodec, richCodec.encodeNotification({ type: "stream.start", streamId: 1 }));
  const reader = hub.acceptInbound(1).getReader();
  const pool = new Uint8Array(100);
  pool.set(encodeFrame(FrameType.Data, 1, new Uint8Array([1, 2, 3])), 20);
  hub.handle(pool.subarray(20, 32));
  pool.fill(9);
  assert.deepEqual((await reader.read()).value, new Uint8Array([1, 2, 3]));
  assert.equal(pool.length, 100);
  const own = encodeFrame(FrameType.Data, 1, new Uint8Array([4]));
  hub.handle(own);
  assert.deepEqual((await reader.read()).value, new Uint8Array([4]));
  assert.equal(own.byteLength, 0);
});

/** What a published client does: it pushes without waiting, and only its socket can stop it. */
function pusher(options: { stallMs?: number; withoutPause?: boolean } = {}) {
  const buffer = 100_000;
  const chunk = 1_000;
  const state = { paused: false, pauses: 0, mostBuffered: 0, cancels: [] as string[] };
  const waiting: string[] = [];
  const hub: StreamHub = new StreamHub({
    mode: "plain",
    codec: jsonCodec,
    send: (data) => void state.cancels.push(data as string),
    limits: { streamBufferBytes: buffer, streamStallMs: options.stallMs ?? 60_000 },
    ...(options.withoutPause ? {} : {
      onPause() {
        state.paused = true;
        state.pauses++;
      },
      onResume() {
        state.paused = false;
        queueMicrotask(flow);
      },
    }),
  });
  function flow(): void {
    while (!state.paused && waiting.length > 0) {
      deliver(hub, jsonCodec, waiting.shift()!);
      state.mostBuffered = Math.max(state.mostBuffered, hub.bufferedBytes);
    }
  }
  return {
    hub,
    state,
    buffer,
    chunk,
    push(streamId: number, chunks: number, end = true) {
      const { encodeNotification } = jsonCodec;
      waiting.push(encodeNotification({ type: "stream.start", streamId }));
      for (let i = 0; i < chunks; i++) {
        const data = new Uint8Array(chunk).fill(i);
        waiting.push(encodeNotification({ type: "stream.enqueue", streamId, data }));
      }
      if (end) waiting.push(encodeNotification({ type: "stream.end", streamId }));
      flow();
    },
  };
}

Deno.test("plain: a sender that cannot be slowed down pauses its socket", async () => {
  const { hub, state, buffer, chunk, push } = pusher();
  push(1, 1000);
  assert.ok(state.paused && hub.paused);
  let total = 0;
  for await (const part of hub.acceptInbound(1)) total += part.length;
  assert.equal(total, 1000 * chunk);
  assert.ok(state.pauses > 5);
  assert.ok(state.mostBuffered <= buffer + chunk, `${state.mostBuffered} bytes buffered`);
  assert.equal(hub.paused, false);
  hub.close();
});

Deno.test("plain: a stream nobody reads is dropped, and the others go on", async () => {
  const { hub, state, push, chunk } = pusher({ stallMs: 40 });
  push(1, 500);
  const dead = hub.acceptInbound(1);
  push(2, 50);
  assert.ok(state.paused);
  await until(() => !state.paused);
  assert.equal((await readAll(hub.acceptInbound(2))).length, 50 * chunk);
  await assert.rejects(readAll(dead), { code: "STREAM_STALLED" });
  assert.match(state.cancels[0], /stream\.cancel.*"streamId":1.*STREAM_STALLED/);
  assert.equal(hub.bufferedBytes, 0);
  hub.close();
});

Deno.test("plain: a stream that is read, however slowly, is not dropped", async () => {
  const { hub, push, chunk } = pusher({ stallMs: 60 });
  push(1, 300);
  let total = 0;
  let reads = 0;
  for await (const part of hub.acceptInbound(1)) {
    total += part.length;
    if (++reads < 20) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(total, 300 * chunk);
  hub.close();
});

Deno.test("plain: giving up on a stream lets the socket flow again", async () => {
  const { hub, state, push, chunk } = pusher();
  push(1, 500);
  push(2, 10);
  assert.ok(state.paused);
  await hub.acceptInbound(1).cancel();
  await until(() => !state.paused);
  assert.equal((await readAll(hub.acceptInbound(2))).length, 10 * chunk);
  hub.close();
});

Deno.test("plain: without a way to pause, a stream over the buffer fails", async () => {
  const { hub, state, buffer, chunk, push } = pusher({ withoutPause: true });
  push(1, 500);
  assert.ok(state.mostBuffered <= buffer + chunk);
  assert.throws(() => hub.acceptInbound(1), { code: "STREAM_NOT_FOUND" });
  push(2, 500, false);
  assert.match(state.cancels.at(-1)!, /STREAM_OVERFLOW/);
  hub.close();
  await Promise.resolve();
});

Deno.test("plain: outbound reads its source no faster than the connection takes it", async () => {
  const { state, readable } = source(1000, 1000);
  const taken: (() => void)[] = [];
  const hub = new StreamHub({
    mode: "plain",
    codec: jsonCodec,
    send: (data) =>
      String(data).includes("stream.start")
        ? undefined
        : new Promise<void>((resolve) => taken.push(resolve)),
  });
  hub.openOutbound(readable);
  for (let i = 1; i <= 20; i++) {
    await until(() => taken.length === i);
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.ok(state.pulled <= i + 1, `${state.pulled} chunks read, ${i} taken`);
    taken.at(-1)!();
  }
  hub.close();
  taken.at(-1)!();
  await until(() => hub.openStreams.outbound === 0);
});

Deno.test("messages that make no sense are reported and change nothing", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.record({
          jsonrpc: fc.constant("2.0" as const),
          method: fc.constantFrom(
            "$sandbox.stream.start",
            "$sandbox.stream.enqueue",
            "$sandbox.stream.end",
            "$sandbox.stream.error",
            "$sandbox.stream.cancel",
            "$sandbox.stream.nonsense",
          ),
          params: fc.oneof(
            fc.anything(),
            fc.record({ streamId: fc.anything(), data: fc.anything() }, { requiredKeys: [] }),
          ),
        }),
      ),
      fc.constantFrom(...modes),
      (message, [, mode, codec]) => {
        const hub = new StreamHub({ mode, codec, send: () => {} });
        assert.equal(hub.handle(message), true);
        assert.equal(hub.bufferedBytes, 0);
        hub.close();
      },
    ),
    { numRuns: 2000 },
  );
  const hub = new StreamHub({ mode: "plain", codec: jsonCodec, send: () => {} });
  const other = { jsonrpc: "2.0" as const, method: "$sandbox.deno.watcher.restart", params: {} };
  assert.equal(hub.handle(other), false);
});

Deno.test("real sources: a file and a command's output go through in large frames", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const bytes = new Uint8Array(3_000_001).map((_, index) => index * 7);
    await Deno.writeFile(`${dir}/file`, bytes);
    const { a, b, sent } = connect("credit", richCodec);
    const file = await Deno.open(`${dir}/file`);
    const inbound = await accept(b, a.openOutbound(file.readable));
    assert.deepEqual(await readAll(inbound), bytes);
    assert.ok(sent.a < 40, `${sent.a} messages for 3 MB`);

    const child = new Deno.Command("cat", { args: [`${dir}/file`], stdout: "piped" }).spawn();
    const output = await accept(b, a.openOutbound(child.stdout));
    assert.deepEqual(await readAll(output), bytes);
    assert.ok((await child.status).success);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

import assert from "node:assert/strict";
import { connect, source, until } from "./_connected_hubs.ts";
import { jsonCodec, richCodec } from "./json_codec.ts";

Deno.test("a consumer that lets nothing wait gets every chunk at once, and its memory is free again", async () => {
  for (const [mode, codec] of [["credit", richCodec], ["plain", jsonCodec]] as const) {
    const freed: ArrayBuffer[] = [];
    const { a, b } = connect(mode, codec, { onFree: (memory) => freed.push(memory) });
    const id = a.openOutbound(source(100, 64 * 1024).readable);
    await until(() => b.openStreams.inbound === 1);
    const claimed = b.claimInbound(id);
    assert.throws(() => b.claimInbound(id), { code: "STREAM_NOT_FOUND" });
    // Some of it has come before anybody says how it is read.
    await until(() => b.bufferedBytes > 0);
    let bytes = 0;
    let sum = 0;
    await claimed.drainInto((chunk) => {
      bytes += chunk.length;
      sum += chunk[chunk.length - 1];
    });
    assert.equal(bytes, 100 * 64 * 1024);
    assert.equal(sum, 5050);
    assert.equal(b.bufferedBytes, 0);
    assert.ok(mode === "plain" || freed.length > 50, `${freed.length} frames were given back`);
    await until(() => a.openStreams.outbound === 0 && b.openStreams.inbound === 0);
  }
});

Deno.test("what a direct consumer throws, or its signal, stops the sender", async () => {
  const disk = Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
  const controller = new AbortController();
  const cases = {
    throws: () => {
      throw disk;
    },
    aborted: () => controller.abort(disk),
  };
  for (const write of Object.values(cases)) {
    const { a, b } = connect("credit", richCodec);
    const { state, readable } = source(1_000_000, 1000);
    const id = a.openOutbound(readable);
    await until(() => b.openStreams.inbound === 1);
    const drained = b.claimInbound(id).drainInto(write, controller.signal);
    await assert.rejects(drained, disk);
    await until(() => a.openStreams.outbound === 0 && b.openStreams.inbound === 0);
    assert.match(String((state.cancelled as Error).message), /No space left/);
    assert.ok(state.pulled < 5000);
  }
});

Deno.test("a direct consumer learns of the source's error and of a lost connection", async () => {
  const { a, b } = connect("credit", richCodec);
  const failing = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new Uint8Array(10));
      controller.error(new RangeError("torn"));
    },
  });
  const id = a.openOutbound(failing);
  await until(() => b.openStreams.inbound === 1);
  await assert.rejects(b.claimInbound(id).drainInto(() => {}), RangeError);
  const endless = a.openOutbound(source(1_000_000, 1000).readable);
  await until(() => b.openStreams.inbound === 1);
  const drained = b.claimInbound(endless).drainInto(() => {});
  b.close();
  await assert.rejects(drained, { code: "CONNECTION_LOST" });
  a.close();
});

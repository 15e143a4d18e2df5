import assert from "node:assert/strict";
import {
  decodeBase64,
  encodeBase64,
  errorClass,
  isNotification,
  jsonCodec,
  newSandboxId,
  richCodec,
  StreamHub,
} from "./mod.ts";

/**
 * What must hold on every runtime the client library runs on; bundled and run on Node and Bun by
 * `portability_test.ts`. Prints "portable" when all of it does.
 */
async function check(): Promise<void> {
  const NotFound = errorClass("NotFound")!;
  const { error } = jsonCodec.encodeFailure(
    Object.assign(new NotFound("no such file"), { code: "ENOENT" }),
  );
  assert.equal((error as { constructorName: string }).constructorName, "NotFound");
  assert.throws(() => jsonCodec.decodeResult("stat", { error }), (thrown) => {
    assert.ok(thrown instanceof NotFound);
    assert.equal(thrown.name, "NotFound");
    assert.equal((thrown as Error & { code?: string }).code, "ENOENT");
    return true;
  });

  const value = { date: new Date(1), map: new Map([[1n, new Uint8Array([1, 2])]]), nan: NaN };
  const { result } = richCodec.decodeMessage(richCodec.encodeMessage({
    jsonrpc: "2.0",
    id: 1,
    result: richCodec.encodeResult("denoReplEval", value),
  })) as { result: unknown };
  assert.deepEqual(richCodec.decodeResult("denoReplEval", result), value);
  newSandboxId("ams");

  const random = crypto.getRandomValues(new Uint8Array(1001));
  assert.deepEqual(decodeBase64(encodeBase64(random.subarray(1))), random.slice(1));
  assert.throws(() => decodeBase64("####"), TypeError);

  for (const mode of ["credit", "plain"] as const) {
    for (const type of [undefined, "bytes"] as const) {
      for (const byob of [false, true]) await streams(mode, type, byob);
    }
  }
  console.log("portable");
}

async function streams(mode: "credit" | "plain", type: "bytes" | undefined, byob: boolean) {
  const codec = mode === "credit" ? richCodec : jsonCodec;
  const hubs: StreamHub[] = [];
  const send = (to: number) => async (data: string | Uint8Array) => {
    await Promise.resolve();
    if (typeof data !== "string") return void hubs[to].handle(data);
    const message = codec.decodeMessage(data);
    if (isNotification(message)) hubs[to].handle(message);
  };
  hubs.push(new StreamHub({ mode, codec, send: send(1) }));
  hubs.push(new StreamHub({ mode, codec, send: send(0) }));
  const total = 5_000_000;
  let left = total;
  const source = new ReadableStream<Uint8Array>({
    ...(type ? { type } : {}),
    pull(controller: ReadableByteStreamController) {
      if (left === 0) {
        controller.close();
        if (type) controller.byobRequest?.respond(0);
        return;
      }
      const size = Math.min(left, 70_001);
      const chunk = new Uint8Array(size);
      for (let i = 0; i < size; i += 1000) chunk[i] = (total - left + i) % 251;
      left -= size;
      controller.enqueue(chunk);
    },
  } as UnderlyingDefaultSource<Uint8Array>);
  const id = hubs[0].openOutbound(source);
  while (hubs[1].openStreams.inbound === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const inbound = hubs[1].acceptInbound(id);
  const received = new Uint8Array(total);
  let at = 0;
  const reader = byob ? inbound.getReader({ mode: "byob" }) : inbound.getReader();
  while (true) {
    const { value, done } = byob
      ? await (reader as ReadableStreamBYOBReader).read(new Uint8Array(100_000))
      : await (reader as ReadableStreamDefaultReader<Uint8Array>).read();
    if (done) break;
    received.set(value!, at);
    at += value!.length;
  }
  assert.equal(at, total, `${mode} ${type} ${byob}`);
  for (let start = 0, sent = 0; start < total; start += 70_001, sent += 70_001) {
    const size = Math.min(total - start, 70_001);
    for (let i = 0; i < size; i += 1000) assert.equal(received[start + i], (sent + i) % 251);
  }
}

check().catch((error) => {
  console.error(error);
  (globalThis as { process?: { exit(code: number): void } }).process?.exit(1);
});

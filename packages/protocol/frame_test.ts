import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { decodeCredit, decodeFrame, encodeCredit, encodeFrame, FrameType } from "./frame.ts";

const streamId = fc.oneof(
  fc.nat(),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 45, Number.MAX_SAFE_INTEGER),
);
const frameType = fc.constantFrom(...Object.values(FrameType));

Deno.test("a frame is what was put into it", () => {
  fc.assert(fc.property(frameType, streamId, fc.uint8Array(), (type, id, payload) => {
    assert.deepEqual(decodeFrame(encodeFrame(type, id, payload)), { type, streamId: id, payload });
  }));
});

Deno.test("the layout is the documented one", () => {
  const frame = encodeFrame(FrameType.Data, 0x1_0203_0405_06, new Uint8Array([0xaa]));
  assert.deepEqual(
    [...frame],
    [1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0xaa].slice(0, 1).concat(
      [...new Uint8Array(new BigUint64Array([0x1_0203_0405_06n]).buffer).reverse()],
      [0xaa],
    ),
  );
  assert.deepEqual([...encodeCredit(7, 0x01020304)], [5, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4]);
  fc.assert(fc.property(streamId, fc.integer({ min: 0, max: 0xffff_ffff }), (id, bytes) => {
    const frame = decodeFrame(encodeCredit(id, bytes));
    assert.equal(frame.streamId, id);
    assert.equal(decodeCredit(frame.payload), bytes);
  }));
});

Deno.test("bytes that are no frame are refused", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
    try {
      const frame = decodeFrame(bytes);
      assert.ok(Object.values(FrameType).includes(frame.type));
      assert.ok(Number.isSafeInteger(frame.streamId));
    } catch (error) {
      assert.equal((error as { code: string }).code, "INVALID_FRAME");
    }
  }));
  for (const bytes of [[], [1], [0, 0, 0, 0, 0, 0, 0, 0, 0], [6, 0, 0, 0, 0, 0, 0, 0, 0]]) {
    assert.throws(() => decodeFrame(new Uint8Array(bytes)), { code: "INVALID_FRAME" });
  }
  assert.throws(() => decodeFrame(new Uint8Array(9).fill(255).fill(1, 0, 1)), {
    code: "INVALID_FRAME",
  });
  assert.throws(() => decodeCredit(new Uint8Array(3)), { code: "INVALID_FRAME" });
});

Deno.test("base64 round-trips and refuses what is not base64", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1000 }), (bytes) => {
    const part = bytes.subarray(Math.min(3, bytes.length));
    assert.deepEqual(decodeBase64(encodeBase64(part)), new Uint8Array(part));
  }));
  for (const text of ["####", "A", "AA=A", "ä"]) assert.throws(() => decodeBase64(text), TypeError);
  const decoded = decodeBase64("AAAA");
  assert.equal(decoded.buffer.byteLength, decoded.byteLength);
});

import assert from "node:assert/strict";
import fc from "fast-check";
import { FrameBoundary } from "./frame_boundary.ts";

function frame(opcode: number, length: number, masked: boolean): Uint8Array {
  const mask = masked ? 0x80 : 0;
  const head = length < 126
    ? [0x80 | opcode, mask | length]
    : length < 65536
    ? [0x80 | opcode, mask | 126, length >> 8, length & 255]
    : [0x80 | opcode, mask | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255];
  const bytes = new Uint8Array(head.length + (masked ? 4 : 0) + length);
  bytes.set(head);
  // A payload that looks like close frames must not be read as frames.
  bytes.fill(0x88, head.length);
  return bytes;
}

Deno.test("a boundary is found however the frames are cut into chunks", () => {
  const frames = fc.array(
    fc.tuple(
      fc.constantFrom(0, 1, 2, 9, 10),
      fc.oneof(fc.integer({ min: 0, max: 200 }), fc.constantFrom(65535, 65536, 70000)),
      fc.boolean(),
    ),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(fc.property(frames, fc.array(fc.nat(), { maxLength: 8 }), (list, cuts) => {
    const parts = list.map(([opcode, length, masked]) => frame(opcode, length, masked));
    const ends = new Set<number>();
    let total = 0;
    for (const part of parts) ends.add(total += part.length);
    const bytes = new Uint8Array(Buffer.concat(parts));
    const boundary = new FrameBoundary();
    assert.ok(boundary.atBoundary);
    const at = [...cuts.map((cut) => cut % (total + 1)), total].sort((a, b) => a - b);
    let from = 0;
    for (const to of at) {
      boundary.push(bytes.subarray(from, to));
      assert.equal(boundary.atBoundary, to === 0 || ends.has(to), `after ${to} of ${total} bytes`);
      from = to;
    }
    assert.equal(boundary.closeSeen, false);
  }));
});

Deno.test("a close frame is noticed", () => {
  const boundary = new FrameBoundary();
  boundary.push(frame(1, 10, false));
  boundary.push(frame(8, 2, false).subarray(0, 2));
  assert.equal(boundary.closeSeen, true);
  assert.equal(boundary.atBoundary, false);
});

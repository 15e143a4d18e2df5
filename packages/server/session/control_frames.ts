/** RFC 6455 bounds a control frame's payload at 125 bytes, two of which are the code. */
const MAX_REASON_BYTES = 123;

/** A ping without payload; every WebSocket library answers it by itself. */
export const PING_FRAME: Uint8Array = Uint8Array.of(0x89, 0);

export function closeFrame(code: number, reason: string): Uint8Array {
  let text = new TextEncoder().encode(reason);
  if (text.length > MAX_REASON_BYTES) {
    // Cutting inside a character would make the client fail the connection over bad UTF-8.
    let end = MAX_REASON_BYTES;
    while ((text[end] & 0xc0) === 0x80) end--;
    text = text.subarray(0, end);
  }
  const frame = new Uint8Array(4 + text.length);
  frame.set([0x88, 2 + text.length, code >> 8, code & 255]);
  frame.set(text, 4);
  return frame;
}

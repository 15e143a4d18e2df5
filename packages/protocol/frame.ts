import { PaddockError } from "./paddock_error.ts";

/** Types of the binary frames of the `paddock.v1` subprotocol. */
export const FrameType = {
  /** Payload: bytes of the stream. */
  Data: 1,
  /** No payload. */
  End: 2,
  /** Payload: UTF-8 JSON, an error object, or empty. */
  Error: 3,
  /** As `Error`, sent by the reader. */
  Cancel: 4,
  /** Payload: u32 big-endian, bytes the reader grants. */
  Credit: 5,
} as const;

export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export interface Frame {
  type: FrameType;
  streamId: number;
  /** A view into the decoded bytes, not a copy. */
  payload: Uint8Array;
}

/** Byte 0: type. Bytes 1..8: stream id, u64 big-endian. Then the payload. */
export const FRAME_HEADER_BYTES = 9;

/**
 * What the sender of a stream may send before its reader has granted anything. Neither side tells the
 * other, so it is a part of `paddock.v1` and no setting; a reader that can hold more grants more.
 */
export const STREAM_WINDOW_BYTES: number = 1024 * 1024;

const NO_PAYLOAD = new Uint8Array(0);

export function encodeFrame(
  type: FrameType,
  streamId: number,
  payload: Uint8Array = NO_PAYLOAD,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, type, streamId);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

/** Writes the header in place, for senders that read their payload straight behind it. */
export function writeFrameHeader(bytes: Uint8Array, type: FrameType, streamId: number): void {
  const high = Math.floor(streamId / 0x1_0000_0000);
  const low = streamId >>> 0;
  bytes[0] = type;
  bytes[1] = high >>> 24;
  bytes[2] = high >>> 16;
  bytes[3] = high >>> 8;
  bytes[4] = high;
  bytes[5] = low >>> 24;
  bytes[6] = low >>> 16;
  bytes[7] = low >>> 8;
  bytes[8] = low;
}

export function encodeCredit(streamId: number, bytes: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + 4);
  writeFrameHeader(frame, FrameType.Credit, streamId);
  new DataView(frame.buffer).setUint32(FRAME_HEADER_BYTES, bytes);
  return frame;
}

export function decodeCredit(payload: Uint8Array): number {
  if (payload.length !== 4) throw invalidFrame("a credit frame carries four bytes");
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0);
}

export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.length < FRAME_HEADER_BYTES) {
    throw invalidFrame(
      `a frame has at least ${FRAME_HEADER_BYTES} bytes, this has ${bytes.length}`,
    );
  }
  const type = bytes[0];
  if (type < FrameType.Data || type > FrameType.Credit) {
    throw invalidFrame(`there is no frame type ${type}`);
  }
  const high = bytes[1] * 0x100_0000 + (bytes[2] << 16 | bytes[3] << 8 | bytes[4]);
  const low = bytes[5] * 0x100_0000 + (bytes[6] << 16 | bytes[7] << 8 | bytes[8]);
  const streamId = high * 0x1_0000_0000 + low;
  if (!Number.isSafeInteger(streamId)) throw invalidFrame("the stream id is above 2^53");
  return { type: type as FrameType, streamId, payload: bytes.subarray(FRAME_HEADER_BYTES) };
}

function invalidFrame(reason: string): PaddockError {
  return new PaddockError("INVALID_FRAME", {
    message: `The binary frame is malformed: ${reason}.`,
  });
}

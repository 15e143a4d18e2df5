interface NativeBase64 {
  toBase64?(): string;
}
interface NativeBase64Constructor {
  fromBase64?(text: string): Uint8Array<ArrayBuffer>;
}
interface NodeBuffer {
  from(data: ArrayBufferLike, offset: number, length: number): { toString(e: "base64"): string };
  from(data: string, encoding: "base64"): Uint8Array;
}

const CHUNK = 0x6000;

function nodeBuffer(): NodeBuffer | undefined {
  return (globalThis as { Buffer?: NodeBuffer }).Buffer;
}

export function encodeBase64(bytes: Uint8Array): string {
  const native = (bytes as NativeBase64).toBase64;
  if (native) return native.call(bytes);
  const buffer = nodeBuffer();
  if (buffer) {
    return buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  }
  let out = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    out += btoa(String.fromCharCode(...bytes.subarray(at, at + CHUNK)));
  }
  return out;
}

/**
 * Throws a TypeError for text that is not base64. The result has an ArrayBuffer of its own, so it can
 * be handed to a byte stream.
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const native = (Uint8Array as NativeBase64Constructor).fromBase64;
  if (native) {
    try {
      return native(text);
    } catch {
      throw new TypeError("not base64");
    }
  }
  const length = decodedLength(text);
  const buffer = nodeBuffer();
  if (buffer) {
    const decoded = buffer.from(text, "base64");
    if (decoded.length !== length) throw new TypeError("not base64");
    return new Uint8Array(decoded);
  }
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    throw new TypeError("not base64");
  }
  const out = new Uint8Array(binary.length);
  for (let i = 0; i < out.length; i++) out[i] = binary.charCodeAt(i);
  return out;
}

function decodedLength(text: string): number {
  if (text.length % 4 !== 0) throw new TypeError("not base64");
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return text.length / 4 * 3 - padding;
}

import type { Socket } from "node:net";
import { type Headers, writeFields } from "./header_fields.ts";

/** Up to here one write of a copy is cheaper than three. */
const SMALL_CHUNK = 4 * 1024;
const CRLF = Buffer.from("\r\n");

/** Writes bytes, which are not empty, as one chunk; false when the other side should be waited for. */
export function writeChunk(socket: Socket, bytes: Uint8Array): boolean {
  const size = `${bytes.length.toString(16)}\r\n`;
  if (bytes.length <= SMALL_CHUNK) {
    return socket.write(Buffer.concat([Buffer.from(size), bytes, CRLF]));
  }
  socket.cork();
  socket.write(size);
  socket.write(bytes);
  const ready = socket.write(CRLF);
  socket.uncork();
  return ready;
}

/** Ends a chunked body. */
export function writeLastChunk(socket: Socket, trailers: Headers): void {
  socket.write(`0\r\n${writeFields(trailers)}\r\n`, "latin1");
}

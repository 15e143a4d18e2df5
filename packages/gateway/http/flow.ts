import type { Socket } from "node:net";

/** What node:net keeps behind a socket; below that of TLS there is the one of TCP. */
interface Handle {
  _parent?: Handle;
  readStop?(): number;
  readStart?(): number;
}

/**
 * Stops reading until `release`. `pause` of a TLS socket in Deno 2.9 goes on reading from the network
 * and keeps everything in memory, so the connection below it is stopped as well.
 */
export function hold(socket: Socket): void {
  if (socket.isPaused()) return;
  socket.pause();
  handleBelow(socket)?.readStop?.();
}

export function release(socket: Socket): void {
  if (socket.destroyed || !socket.isPaused()) return;
  handleBelow(socket)?.readStart?.();
  socket.resume();
}

function handleBelow(socket: Socket): Handle | undefined {
  return (socket as unknown as { _handle?: Handle | null })._handle?._parent;
}

import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

/** A client that does not close after its answer is closed on. */
const LINGER_MS = 1_000;

/** Answers an upgrade request, which node:http hands over as a bare socket, with plain HTTP. */
export function respondRaw(
  socket: Socket,
  status: number,
  headers: Record<string, string>,
  body: string,
): void {
  if (!socket.writable) return void socket.destroy();
  const bytes = new TextEncoder().encode(body);
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}`];
  const all = {
    ...headers,
    "content-type": "application/json",
    "content-length": String(bytes.length),
    "connection": "close",
  };
  for (const [name, value] of Object.entries(all)) lines.push(`${name}: ${value}`);
  socket.write(lines.join("\r\n") + "\r\n\r\n");
  socket.end(bytes);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
}

export function respondSwitching(socket: Socket, headers: Record<string, string>): void {
  const lines = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: Upgrade"];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  socket.write(lines.join("\r\n") + "\r\n\r\n");
}

import type { Socket } from "node:net";

const MAX_BYTES = 64;
const LINE_FEED = 10;
const DEADLINE_MS = 10_000;

/** The line that daemon and HTTP/2 process begin a connection between them with. */
export function writeTag(socket: Socket, tag: string): void {
  socket.write(`${tag}\n`);
}

/** Reads that line and nothing behind it, and leaves the connection paused. */
export function readTag(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let got: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => finish(new Error("no tag came in time")), DEADLINE_MS);
  const onData = (chunk: Buffer): void => {
    got = got.length === 0 ? chunk : Buffer.concat([got, chunk]);
    const end = got.indexOf(LINE_FEED);
    if (end < 0 && got.length > MAX_BYTES) return finish(new Error("the tag is too long"));
    if (end < 0) return;
    finish(undefined, end);
  };
  const onClose = (): void => finish(new Error("the connection closed before its tag came"));
  const finish = (error: Error | undefined, end = 0): void => {
    clearTimeout(timer);
    socket.removeListener("data", onData);
    socket.removeListener("close", onClose);
    if (error) return reject(error);
    socket.pause();
    const rest = got.subarray(end + 1);
    if (rest.length > 0) socket.unshift(rest);
    resolve(got.subarray(0, end).toString("latin1"));
  };
  socket.on("data", onData);
  socket.on("close", onClose);
  return promise;
}

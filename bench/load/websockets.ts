/**
 * Opens WebSockets, makes sure that each one echoes, prints how many are open, and holds them until
 * its standard input ends; then makes sure again, prints that, and goes.
 */
import type { Socket } from "node:net";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { dialMany, printResult, readArgument, type Target } from "./target.ts";

export interface WebSocketsArgument {
  target: Target;
  count: number;
}

/** Printed twice: once all are open, and when standard input has ended. */
export interface WebSocketsResult {
  echoing: number;
}

const { target, count } = readArgument<WebSocketsArgument>();
const deadlineMs = 30_000;

const sockets: Socket[] = [];
while (sockets.length < count) {
  const some = await dialMany(target, Math.min(20, count - sockets.length));
  await Promise.all(some.map(open));
  sockets.push(...some);
}
printResult({ echoing: await echoAll() } satisfies WebSocketsResult);
process.stdin.resume();
await once(process.stdin, "end");
printResult({ echoing: await echoAll() } satisfies WebSocketsResult);
process.exit(0);

async function open(socket: Socket): Promise<void> {
  const key = randomBytes(16).toString("base64");
  socket.write(
    `GET / HTTP/1.1\r\nhost: ${target.authority}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n` +
      `sec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n\r\n`,
  );
  const answer = await received(socket, (bytes) => bytes.includes("\r\n\r\n"));
  if (!answer.toString("latin1").startsWith("HTTP/1.1 101")) throw new Error(String(answer));
}

async function echoAll(): Promise<number> {
  let echoing = 0;
  const queue = sockets.values();
  await Promise.all(Array.from({ length: 20 }, async () => {
    for (const socket of queue) if (await echo(socket)) echoing++;
  }));
  return echoing;
}

/** One short text message, masked with zeros as the protocol allows, and the same back. */
async function echo(socket: Socket): Promise<boolean> {
  const text = randomBytes(4).toString("hex");
  socket.write(
    Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]),
  );
  const answer = await received(socket, (bytes) => bytes.length >= text.length + 2);
  return answer.toString("latin1", 2) === text;
}

function received(socket: Socket, whole: (bytes: Buffer) => boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const timer = setTimeout(() => done(new Error("no answer")), deadlineMs);
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (whole(bytes)) done();
    };
    const onClose = () => done(new Error(`closed after ${JSON.stringify(String(bytes))}`));
    const done = (error?: Error) => {
      clearTimeout(timer);
      socket.off("data", onData).off("close", onClose).off("error", done);
      error ? reject(error) : resolve(bytes);
    };
    socket.on("data", onData).on("close", onClose).on("error", done);
  });
}

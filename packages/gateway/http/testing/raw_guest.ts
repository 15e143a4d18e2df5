import { type AddressInfo, createServer, type Socket } from "node:net";

export interface RawGuest extends AsyncDisposable {
  port: number;
  /** Everything that was received, by connection. */
  received: string[];
  sockets: Socket[];
}

/** A server that answers byte by byte what a test wants it to, at an address of its own. */
export async function rawGuest(
  answer: (socket: Socket, received: string, connection: number) => void,
  host = "0.0.0.0",
): Promise<RawGuest> {
  const received: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const index = received.push("") - 1;
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received[index] += (chunk as Buffer).toString("latin1");
      answer(socket, received[index], index);
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, host, resolve);
  await promise;
  return {
    port: (server.address() as AddressInfo).port,
    ...{ received, sockets },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

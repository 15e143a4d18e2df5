import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";

export interface CuttableProxy extends AsyncDisposable {
  /** The server's address by way of this proxy. */
  api: string;
  /** Drops every connection without a goodbye, as a network does. */
  cut(): void;
  /** Refuses (or accepts again) new connections. */
  refuse(refusing: boolean): void;
  connections(): number;
}

export async function startCuttableProxy(target: string): Promise<CuttableProxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let refusing = false;
  const server = createServer((inbound) => {
    if (refusing) {
      inbound.destroy();
      return;
    }
    const outbound = connect(Number(port), hostname);
    for (const socket of [inbound, outbound]) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        inbound.destroy();
        outbound.destroy();
      });
    }
    inbound.pipe(outbound).pipe(inbound);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    api: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    cut,
    refuse: (value) => refusing = value,
    connections: () => open.size / 2,
    [Symbol.asyncDispose]: async () => {
      server.close();
      cut();
      await once(server, "close");
    },
  };
}

import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { EndReason, RunningSandbox, SandboxState } from "@paddock/engine";

const octet = () => 1 + Math.floor(Math.random() * 254);
/**
 * Where a stand-in guest's own address is, apart from loopback's usual one. Another in each test file: files
 * that run side by side must not get each other's ports.
 */
export const GUEST_ADDRESS = `127.77.${octet()}.${octet()}`;

export interface StandInSandbox extends AsyncDisposable {
  sandbox: RunningSandbox;
  /** What the agent answers: a port, or a status. */
  exposed: Map<string, number>;
  /** Requests the agent got. */
  asked: string[];
  setState(state: SandboxState): void;
  /** As when it is killed. */
  end(): void;
}

/** A sandbox without a machine: its agent is a small server here, its guest this host's loopback. */
export async function standInSandbox(id = "sbx_ams_00000000000000000000"): Promise<StandInSandbox> {
  const token = "agent-token";
  const exposed = new Map<string, number>();
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const authorized = (message: IncomingMessage) =>
    message.headers.authorization === `Bearer ${token}`;
  const agent = createServer((message, response) => {
    asked.push(message.url!);
    const domain = new URL(message.url!, "http://agent").searchParams.get("domain") ?? "";
    const found = exposed.get(domain);
    if (!authorized(message)) response.writeHead(401).end();
    else if (found === undefined) response.writeHead(404).end();
    else if (found < 1) response.writeHead(409).end();
    else response.end(JSON.stringify({ port: found }));
  });
  agent.on("upgrade", (message, socket: Socket, head) => {
    asked.push(message.url!);
    sockets.add(socket);
    socket.on("error", () => {});
    const port = Number(new URL(message.url!, "http://agent").searchParams.get("port"));
    const target = connect({ host: "127.0.0.1", port }, () => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: paddock-tunnel\r\n\r\n");
      if (head.length > 0) target.write(head);
      socket.pipe(target).pipe(socket);
    });
    sockets.add(target);
    target.on("error", () => socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  agent.listen(0, GUEST_ADDRESS, resolve);
  await promise;
  const { port } = agent.address() as AddressInfo;
  const over = Promise.withResolvers<EndReason>();
  let state: SandboxState = "running";
  const sandbox: RunningSandbox = {
    spec: {
      ...{ id, organizationId: "org", region: "ams", stopAt: "session", labels: {} },
      memoryBytes: 1 << 28,
    },
    get state() {
      return state;
    },
    ...{
      driver: "gvisor",
      origin: "booted",
      capabilities: [],
      createdAt: new Date(),
      stopAt: "session",
    },
    agent: { host: GUEST_ADDRESS, port, token },
    takeGreeting: () => undefined,
    get awake() {
      return state === "running";
    },
    onStandstill: () => ({ [Symbol.dispose]() {} }),
    pause: () => Promise.resolve(),
    resume: () => {
      if (state === "paused") state = "running";
      return Promise.resolve();
    },
    holdSession: () => ({ release: () => {} }),
    holdVisit: () => ({ release: () => {} }),
    extend: (stopAt: number) => Promise.resolve(stopAt),
    kill: () => Promise.resolve(),
    ended: over.promise,
    usage: () => Promise.resolve({ memoryBytes: 0, cpuMicroseconds: 0 }),
    logs: () => Promise.resolve(""),
  } as RunningSandbox;
  return {
    ...{ sandbox, exposed, asked },
    setState: (next) => void (state = next),
    end: () => {
      state = "stopping";
      over.resolve("killed");
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      agent.closeAllConnections();
      await new Promise((resolve) => agent.close(resolve));
    },
  };
}

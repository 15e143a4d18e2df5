import { createServer, type IncomingMessage } from "node:http";
import { once } from "node:events";

export interface ScriptedCall {
  method: string;
  path: string;
  body: unknown;
}

export interface ScriptedAnswer {
  status?: number;
  body?: string;
  /** Says nothing at all, and keeps the connection. */
  silent?: boolean;
}

/**
 * Stands in for Firecracker's API in unit tests: it answers what a script says, on a unix socket, and
 * has no machine. The real one is spoken to in the KVM lab only.
 */
export async function scriptedApi(
  answer: (call: ScriptedCall) => ScriptedAnswer,
): Promise<AsyncDisposable & { socketPath: string; calls: ScriptedCall[]; connections(): number }> {
  const directory = await Deno.makeTempDir({ prefix: "paddock-api-" });
  const calls: ScriptedCall[] = [];
  let connections = 0;
  const server = createServer(async (request, response) => {
    const text = await read(request);
    const call = {
      method: request.method ?? "",
      path: request.url ?? "",
      body: text === "" ? undefined : JSON.parse(text),
    };
    calls.push(call);
    const { status = 204, body = "", silent } = answer(call);
    if (silent) return;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(body);
  });
  server.on("connection", () => connections++);
  const socketPath = `${directory}/api.socket`;
  server.listen(socketPath);
  await once(server, "listening");
  return {
    socketPath,
    calls,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      await Deno.remove(directory, { recursive: true });
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

import { UnixListener, type UnixSocket } from "@paddock/driver";

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

const HEAD_END = "\r\n\r\n";

/**
 * Stands in for Firecracker's API in unit tests: it answers what a script says, on a unix socket, and
 * has no machine. The real one is spoken to in the KVM lab only.
 */
export async function scriptedApi(
  answer: (call: ScriptedCall) => ScriptedAnswer,
): Promise<AsyncDisposable & { socketPath: string; calls: ScriptedCall[]; connections(): number }> {
  const directory = await Deno.makeTempDir({ prefix: "paddock-api-" });
  const calls: ScriptedCall[] = [];
  const sockets: UnixSocket[] = [];
  const socketPath = `${directory}/api.socket`;
  const listener = new UnixListener(socketPath, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    let received = "";
    socket.on("data", (chunk: Uint8Array) => {
      received += new TextDecoder().decode(chunk);
      for (let read; (read = readCall(received)); received = read.rest) {
        calls.push(read.call);
        const { status = 204, body = "", silent } = answer(read.call);
        if (silent) continue;
        const length = status === 204 ? "" : `Content-Length: ${body.length}\r\n`;
        socket.write(`HTTP/1.1 ${status} Said\r\n${length}\r\n${body}`);
      }
    });
  });
  return {
    socketPath,
    calls,
    connections: () => sockets.length,
    [Symbol.asyncDispose]: async () => {
      listener[Symbol.dispose]();
      for (const socket of sockets) socket.destroy();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** The first call in the text, if all of it is there. */
function readCall(text: string): { call: ScriptedCall; rest: string } | undefined {
  const end = text.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const [method, path] = head.split(" ");
  const start = end + HEAD_END.length;
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  const body = text.slice(start, start + length);
  if (body.length < length) return undefined;
  return {
    call: { method, path, body: body === "" ? undefined : JSON.parse(body) },
    rest: text.slice(start + length),
  };
}

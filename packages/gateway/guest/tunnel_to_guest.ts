import { connect, type Socket } from "node:net";
import type { RunningSandbox } from "@paddock/engine";
import { PaddockError } from "@paddock/protocol";

/** The agent is part of the guest: its answer is bounded before a byte of it is read. */
const MAX_ANSWER_BYTES = 4 * 1024;

/**
 * A connection that the agent makes from within the guest: to a server on a loopback address there,
 * or to `host`, as the guest's network allows it.
 */
export async function tunnelToGuest(
  sandbox: RunningSandbox,
  target: { port: number; host?: string },
  signal: AbortSignal,
): Promise<Socket> {
  const { host, port, token } = sandbox.agent;
  const socket = await dial(host, port, signal).catch((cause) => {
    signal.throwIfAborted();
    throw new PaddockError("AGENT_UNREACHABLE", { cause });
  });
  const query = target.host === undefined ? "" : `&host=${encodeURIComponent(target.host)}`;
  socket.write(
    `GET /tunnel?port=${target.port}${query} HTTP/1.1\r\nHost: agent\r\n` +
      `Authorization: Bearer ${token}\r\nConnection: Upgrade\r\nUpgrade: paddock-tunnel\r\n\r\n`,
  );
  try {
    const { status, rest } = await answerOf(socket, signal);
    if (status === 101) {
      if (rest.length > 0) socket.unshift(rest);
      return socket;
    }
    throw status === 502 || status === 403
      ? new PaddockError("PORT_NOT_LISTENING", { details: { port: target.port } })
      : new PaddockError("AGENT_UNREACHABLE", { cause: new Error(`it answered ${status}`) });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** A plain connection, with keep-alive probes: idle ones live, those to a dead peer do not. */
export function dial(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ host, port, noDelay: true });
  const onError = (error: Error) => settle(() => reject(error));
  const onAbort = () => settle(() => reject(signal.reason));
  const settle = (finish: () => void) => {
    signal.removeEventListener("abort", onAbort);
    socket.removeListener("error", onError);
    // An error after the last listener went would be thrown at nobody.
    socket.on("error", () => {});
    finish();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  socket.once("error", onError);
  socket.once("connect", () => {
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    settle(() => resolve(socket));
  });
  return promise.catch((error) => {
    socket.destroy();
    throw error;
  });
}

const KEEP_ALIVE_MS = 30_000;

function answerOf(
  socket: Socket,
  signal: AbortSignal,
): Promise<{ status: number; rest: Uint8Array }> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const settle = (finish: () => void) => {
      signal.removeEventListener("abort", onAbort);
      socket.removeListener("data", onData);
      socket.removeListener("close", onClose);
      finish();
    };
    const fail = (cause: unknown) => settle(() => reject(cause));
    const unreachable = (why: string) =>
      fail(new PaddockError("AGENT_UNREACHABLE", { cause: new Error(why) }));
    const onAbort = () => fail(signal.reason);
    const onClose = () => unreachable("it closed the connection");
    const onData = (chunk: Uint8Array) => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf("\r\n\r\n");
      if (end < 0) {
        if (received.length > MAX_ANSWER_BYTES) unreachable("its answer is too long");
        return;
      }
      socket.pause();
      const [, status] = received.toString("latin1", 0, end).match(/^HTTP\/1\.1 (\d{3}) /) ?? [];
      if (status === undefined) return unreachable("it did not answer in HTTP");
      settle(() => resolve({ status: Number(status), rest: received.subarray(end + 4) }));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("data", onData);
    socket.on("close", onClose);
    if (signal.aborted) onAbort();
    else if (socket.destroyed) onClose();
  });
}

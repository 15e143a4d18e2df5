import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { PaddockError } from "@paddock/protocol";
import { BulkReads } from "./bulk_reads.ts";
import { acceptOf } from "./handshake.ts";

/** The agent is part of the guest: its answer is bounded in size before a byte of it is read. */
const MAX_RESPONSE_HEAD_BYTES = 8 * 1024;

export interface AgentAddress {
  host: string;
  port: number;
  token: string;
}

export interface AgentConnection {
  socket: Socket;
  /** Paused, and nobody listens yet. */
  reads: BulkReads;
  /** What the agent sent right after its response head. */
  head: Uint8Array;
  protocol: string | undefined;
}

/**
 * Opens a WebSocket to a sandbox's agent and stops after the handshake: from there on the bytes
 * are the client's.
 */
export async function dialAgent(
  agent: AgentAddress,
  options: { encoding: "v2" | "v3"; protocol?: string; signal: AbortSignal },
): Promise<AgentConnection> {
  const { encoding, protocol, signal } = options;
  signal.throwIfAborted();
  const key = randomBytes(16).toString("base64");
  const reads = new BulkReads();
  const { host, port } = agent;
  const socket = connect({ host, port, noDelay: true, onread: reads.onread });
  try {
    const { text, rest } = await exchange(
      socket,
      reads,
      requestHead(agent, key, encoding, protocol),
      signal,
    );
    const accepted = checkResponse(text, key, protocol);
    return { socket, reads, head: rest, protocol: accepted };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function requestHead(
  agent: AgentAddress,
  key: string,
  encoding: string,
  protocol: string | undefined,
): string {
  const lines = [
    "GET /rpc HTTP/1.1",
    `Host: ${agent.host}:${agent.port}`,
    `Authorization: Bearer ${agent.token}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${key}`,
    `X-Paddock-Encoding: ${encoding}`,
  ];
  if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  return lines.join("\r\n") + "\r\n\r\n";
}

function exchange(
  socket: Socket,
  reads: BulkReads,
  request: string,
  signal: AbortSignal,
): Promise<{ text: string; rest: Uint8Array }> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const settle = (finish: () => void) => {
      signal.removeEventListener("abort", onAbort);
      reads.listen(undefined);
      socket.removeListener("close", onClose);
      socket.removeListener("error", onError);
      finish();
    };
    const fail = (cause: unknown) => settle(() => reject(cause));
    const onAbort = () => fail(signal.reason);
    const onError = (cause: Error) => fail(unreachable("it cannot be connected to", cause));
    const onClose = () => fail(unreachable("it closed the connection", undefined));
    const onData = (chunk: Uint8Array): boolean => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf("\r\n\r\n");
      if (end < 0 ? received.length > MAX_RESPONSE_HEAD_BYTES : end > MAX_RESPONSE_HEAD_BYTES) {
        fail(unreachable("its response head is too long", undefined));
        return true;
      }
      if (end < 0) return true;
      socket.pause();
      const text = received.subarray(0, end).toString("latin1");
      settle(() => resolve({ text, rest: received.subarray(end + 4) }));
      return true;
    };
    signal.addEventListener("abort", onAbort, { once: true });
    reads.listen(onData);
    socket.on("close", onClose);
    socket.on("error", onError);
    // Later errors are the splice's to handle; without a listener they would end the process.
    socket.on("error", () => {});
    socket.write(request);
  });
}

function checkResponse(
  text: string,
  key: string,
  offered: string | undefined,
): string | undefined {
  const [status, ...lines] = text.split("\r\n");
  const code = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(status)?.[1];
  if (code !== "101") {
    throw unreachable(
      `it answered ${code ? `status ${code}` : "no HTTP"} to the upgrade`,
      undefined,
    );
  }
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  if (headers.get("sec-websocket-accept") !== acceptOf(key)) {
    throw unreachable("its handshake is wrong", undefined);
  }
  if (headers.has("sec-websocket-extensions")) {
    throw unreachable("it chose an extension that nobody offered", undefined);
  }
  const protocol = headers.get("sec-websocket-protocol");
  if (protocol !== undefined && protocol !== offered) {
    throw unreachable("it chose a subprotocol that nobody offered", undefined);
  }
  return protocol;
}

function unreachable(what: string, cause: unknown): PaddockError {
  return new PaddockError("AGENT_UNREACHABLE", {
    message: `The sandbox's agent does not answer: ${what}.`,
    cause,
  });
}

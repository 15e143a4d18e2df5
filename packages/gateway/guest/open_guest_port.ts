import type { Socket } from "node:net";
import type { RunningSandbox } from "@paddock/engine";
import { PaddockError } from "@paddock/protocol";
import { dial, tunnelToGuest } from "./tunnel_to_guest.ts";

type Way = "direct" | "tunnel";

/** Ports of one sandbox whose way is remembered. */
const MAX_REMEMBERED = 256;

/** Which way worked last; goes with the sandbox. */
const ways = new WeakMap<RunningSandbox, Map<number, Way>>();

/**
 * A connection to a TCP port of the guest. A server on the guest's address is dialled directly; one
 * that listens on loopback only is reached through the agent. The agent's own port never is. The
 * socket may be paused.
 *
 * With `host`, the agent connects to that host from within the guest instead.
 */
export async function openGuestPort(
  sandbox: RunningSandbox,
  port: number,
  signal: AbortSignal,
  host?: string,
): Promise<Socket> {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new PaddockError("INVALID_ARGUMENT", {
      message: "A port is a whole number from 1 to 65535.",
      field: "port",
    });
  }
  stillThere(sandbox);
  if (host !== undefined) {
    return stillThere(sandbox, await tunnelToGuest(sandbox, { port, host }, signal));
  }
  if (port === sandbox.agent.port) throw notListening(port);
  let remembered = ways.get(sandbox);
  if (!remembered) ways.set(sandbox, remembered = new Map());
  const first = remembered.get(port) ?? "direct";
  const connections = { direct: dialDirectly, tunnel: tunnel };
  for (const way of [first, first === "direct" ? "tunnel" : "direct"] as const) {
    const socket = await connections[way](sandbox, port, signal);
    if (!socket) continue;
    stillThere(sandbox, socket);
    if (!remembered.has(port) && remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(port, way);
    return socket;
  }
  remembered.delete(port);
  throw notListening(port);
}

/**
 * The address of a sandbox that ends is given to another one, maybe while this connection was being
 * made: what is connected while the sandbox runs is connected to it.
 */
function stillThere(sandbox: RunningSandbox): void;
function stillThere(sandbox: RunningSandbox, socket: Socket): Socket;
function stillThere(sandbox: RunningSandbox, socket?: Socket): Socket | void {
  if (sandbox.state === "running") return socket;
  socket?.destroy();
  throw new PaddockError("SANDBOX_STOPPED");
}

/** Nothing when the connection is refused. */
async function dialDirectly(
  sandbox: RunningSandbox,
  port: number,
  signal: AbortSignal,
): Promise<Socket | undefined> {
  try {
    return await dial(sandbox.agent.host, port, signal);
  } catch (error) {
    if ((error as { code?: string }).code === "ECONNREFUSED") return undefined;
    signal.throwIfAborted();
    throw new PaddockError("AGENT_UNREACHABLE", {
      message: "The sandbox cannot be connected to.",
      cause: error,
    });
  }
}

async function tunnel(
  sandbox: RunningSandbox,
  port: number,
  signal: AbortSignal,
): Promise<Socket | undefined> {
  try {
    return await tunnelToGuest(sandbox, { port }, signal);
  } catch (error) {
    if (error instanceof PaddockError && error.code === "PORT_NOT_LISTENING") return undefined;
    throw error;
  }
}

function notListening(port: number): PaddockError {
  return new PaddockError("PORT_NOT_LISTENING", {
    message: `Nothing listens on port ${port} of the sandbox.`,
    details: { port },
  });
}

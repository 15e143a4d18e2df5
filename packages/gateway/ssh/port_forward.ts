import type { RunningSandbox } from "@paddock/engine";
import type { Socket } from "node:net";
import { openGuestPort } from "../guest/open_guest_port.ts";
import { SshChannel } from "./ssh_channel.ts";

const CONNECT_MS = 15_000;

/** Names by which a client of `ssh -L` means the sandbox itself. */
const LOCAL_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\]|0\.0\.0\.0|::|\*|)$/i;
const HOST_NAME = /^[A-Za-z0-9._:%-]{1,253}$/;

export interface ForwardTarget {
  host: string;
  port: number;
}

/**
 * A connection to a port of the guest, or to another host from within the guest. Throws when there is
 * none, and for the agent's port always.
 */
export async function openForward(
  sandbox: RunningSandbox,
  { host, port }: ForwardTarget,
  signal: AbortSignal,
): Promise<Socket> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
  await sandbox.resume(deadline);
  const local = LOCAL_HOST.test(host) || host === sandbox.agent.host;
  // Any name may turn out to be the sandbox itself, where the agent listens.
  if (!local && (!HOST_NAME.test(host) || port === sandbox.agent.port)) {
    throw new Error("there is no such target");
  }
  return await openGuestPort(sandbox, port, deadline, local ? undefined : host);
}

/** Passes bytes both ways; each side may end before the other. Never rejects. */
export async function spliceForward(channel: SshChannel, socket: Socket): Promise<void> {
  const broken = Promise.withResolvers<void>();
  socket.on("error", () => broken.resolve());
  const both = Promise.all([toGuest(channel, socket), toClient(channel, socket)]);
  await Promise.race([both.catch(() => {}), broken.promise, channel.closed]);
  socket.destroy();
  channel.finish();
}

async function toGuest(channel: SshChannel, socket: Socket): Promise<void> {
  for await (const chunk of channel.readable()) {
    if (socket.destroyed) return;
    if (!socket.write(chunk)) await drained(socket);
  }
  socket.end();
}

async function toClient(channel: SshChannel, socket: Socket): Promise<void> {
  for await (const chunk of socket) {
    if (!await channel.write(chunk as Uint8Array)) return;
  }
  channel.endOutput();
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}

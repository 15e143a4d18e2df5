import type { Log } from "@paddock/driver";
import type { Engine } from "@paddock/engine";
import { type LimitValues, PaddockError } from "@paddock/protocol";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import ssh2 from "ssh2";
import type { ExposureDirectory } from "../exposures.ts";
import { Admission } from "./admission.ts";
import type { HostKey } from "./host_key.ts";
import { SandboxVisitors } from "./sandbox_visitors.ts";
import { SshConnection, type SshConnectionOptions } from "./ssh_connection.ts";

/**
 * The name makes OpenSSH's client say when nobody reads a command's output any more, which it does to
 * its own kind alone: without it `ssh … cat big | head` would go on for ever.
 */
const IDENT = "OpenSSH_compatible_Paddock";
/** Unanswered questions after which a client is taken for dead. */
const KEEPALIVE_QUESTIONS = 3;
const CLOSE_MS = 12_000;

export interface SshGatewayOptions {
  engine: Engine;
  exposures: ExposureDirectory;
  hostKey: HostKey;
  limits: LimitValues;
  log: Log;
}

/** Sandboxes over SSH: the user name is the credential. */
export interface SshGateway extends AsyncDisposable {
  /** May be called for several addresses. Throws ADDRESS_IN_USE, INVALID_SERVER_CONFIG. */
  listen(address: { host: string; port: number }): Promise<{ port: number }>;
  /** Rejects when it can take no more connections. */
  readonly failed: Promise<never>;
  /** Ends every connection and what it started. Idempotent. */
  close(): Promise<void>;
}

export function createSshGateway(options: SshGatewayOptions): SshGateway {
  const { engine, exposures, hostKey, limits, log } = options;
  const admission = new Admission(limits);
  const visitors = new SandboxVisitors(engine, limits);
  const listeners = new Set<NetServer>();
  const connections = new Set<SshConnection>();
  /** Connections that have not said a word, by the address of their client. */
  const silent = new Map<string, Pick<SshConnectionOptions, "socket" | "admitted" | "deadline">>();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  let closing: Promise<void> | undefined;

  const server = new ssh2.Server({
    hostKeys: [hostKey.privateKey],
    ident: IDENT,
    algorithms: {
      // Elliptic curves alone, for the others cost a stranger nothing and us milliseconds.
      kex: [
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
      ],
      // Not chacha20-poly1305: in Deno 2.9 every packet of it leaves memory behind.
      cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr"],
      hmac: [
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
      ],
      // What a few bytes unpack to has no bound.
      compress: ["none"],
    },
    keepaliveInterval: limits.sshKeepaliveMs,
    keepaliveCountMax: KEEPALIVE_QUESTIONS,
  }, (client, { ip, port }) => {
    const known = silent.get(`${ip} ${port}`);
    // Gone between its first word and now.
    if (!known) return void client.end();
    silent.delete(`${ip} ${port}`);
    const connection = new SshConnection({ client, limits, log, exposures, visitors, ...known });
    connections.add(connection);
    void connection.closed.then(() => connections.delete(connection));
  });

  function accept(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    const { remoteAddress, remotePort } = socket;
    const admitted = closing || remoteAddress === undefined
      ? undefined
      : admission.admit(remoteAddress);
    if (!admitted) {
      socket.end("Too many connections, or too many wrong user names: try again later.\r\n");
      socket.destroySoon();
      return;
    }
    const key = `${remoteAddress} ${remotePort}`;
    const deadline = setTimeout(() => socket.destroy(), limits.sshHandshakeMs);
    const known = { socket, admitted, deadline };
    silent.set(key, known);
    socket.once("close", () => {
      clearTimeout(deadline);
      admitted.release();
      if (silent.get(key) === known) silent.delete(key);
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, limits.sshKeepaliveMs);
    server.injectSocket(socket);
  }

  async function close(): Promise<void> {
    server.removeAllListeners("connection");
    for (const listener of listeners) listener.close();
    for (const { socket } of silent.values()) socket.destroy();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, CLOSE_MS);
    await Promise.race([
      Promise.all([...connections].map(async (connection) => {
        await connection.end("the server is shutting down");
        await connection.closed;
      })),
      late.promise,
    ]);
    clearTimeout(timer);
  }

  const gateway: SshGateway = {
    async listen({ host, port }) {
      const listener = createServer(accept);
      await new Promise<void>((resolve, reject) => {
        listener.once("error", reject);
        listener.listen({ host, port }, () => {
          listener.off("error", reject);
          resolve();
        });
      }).catch((cause) => {
        const { code, message } = cause as { code?: string; message: string };
        throw code === "EADDRINUSE"
          ? new PaddockError("ADDRESS_IN_USE", {
            message: `Port ${port} of ${host} is in use.`,
            hint: "Choose another with `--ssh-listen`; port 0 takes any free one.",
            cause,
          })
          : new PaddockError("INVALID_SERVER_CONFIG", {
            message: `SSH cannot listen on ${host}, port ${port}: ${message}.`,
            cause,
          });
      });
      listener.on("error", failed.reject);
      listeners.add(listener);
      return { port: (listener.address() as { port: number }).port };
    },
    failed: failed.promise,
    close: () => closing ??= close(),
    [Symbol.asyncDispose]: () => gateway.close(),
  };
  return gateway;
}

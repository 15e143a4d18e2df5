import { readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import process from "node:process";

/** Where a load program's connections lead. It is the program's only argument, as JSON. */
export interface Target {
  host: string;
  port: number;
  /** TLS with this server name, as a visitor of a preview URL has it; plain TCP without. */
  tls?: { servername: string; ca: string };
  /** What the `Host` header says. */
  authority: string;
}

/** A load program's argument. */
export function readArgument<T>(): T {
  return JSON.parse(process.argv[2]) as T;
}

/** Hands the result to whoever started this program. */
export function printResult(result: unknown): void {
  process.stdout.write(JSON.stringify(result) + "\n");
}

const connectDeadlineMs = 20_000;
const authorities = new Map<string, string>();

export function dial({ host, port, tls }: Target): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const opened = tls ? "secureConnect" : "connect";
    const socket = tls
      ? connectTls({
        host,
        port,
        servername: tls.servername,
        ca: authority(tls.ca),
        ALPNProtocols: ["http/1.1"],
      })
      : connectTcp({ host, port });
    const timer = setTimeout(() => socket.destroy(new Error("no connection")), connectDeadlineMs);
    socket.setNoDelay(true);
    socket.once("error", reject);
    socket.once(opened, () => {
      clearTimeout(timer);
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

/** Some at a time: a listener's backlog is no part of what is measured. */
export async function dialMany(target: Target, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(20, count - sockets.length) }, () => dial(target));
    sockets.push(...await Promise.all(some));
  }
  return sockets;
}

function authority(path: string): string {
  const pem = authorities.get(path) ?? readFileSync(path, "utf8");
  authorities.set(path, pem);
  return pem;
}

import { connect, type TLSSocket } from "node:tls";
import type { ServedIngress } from "./serve_ingress.ts";

const DEADLINE_MS = 15_000;

export interface RawVisitor extends Disposable {
  socket: TLSSocket;
  send(text: string): void;
  /** All that came, once it holds what is looked for. */
  until(pattern: RegExp): Promise<string>;
  /** All that came, once the other side has closed. */
  closed(): Promise<string>;
  received(): string;
}

/** A visitor that speaks bytes, for what no proper client would send. */
export async function rawVisitor(
  { port, ca }: Pick<ServedIngress, "port" | "ca">,
  servername: string,
): Promise<RawVisitor> {
  const socket = connect({
    ...{ host: "127.0.0.1", port, ca, servername },
    ALPNProtocols: ["http/1.1"],
    // Some tests ask for names that no certificate covers.
    checkServerIdentity: () => undefined,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let text = "";
  let over = false;
  let look = () => {};
  socket.once("secureConnect", () => resolve());
  socket.on("error", reject);
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    look();
  });
  for (const event of ["end", "close"]) {
    socket.on(event, () => {
      over = true;
      look();
    });
  }
  await promise;
  const wait = (what: string, done: () => boolean) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(
      () => reject(new Error(`in vain: ${what}; got ${JSON.stringify(text.slice(0, 2000))}`)),
      DEADLINE_MS,
    );
    look = () => {
      if (done()) resolve(text);
      else if (over) reject(new Error(`closed before ${what}; got ${JSON.stringify(text)}`));
    };
    look();
    return promise.finally(() => clearTimeout(timer));
  };
  return {
    socket,
    send: (part) => void socket.write(part, "latin1"),
    until: (pattern) => wait(String(pattern), () => pattern.test(text)),
    closed: () => wait("the end", () => over),
    received: () => text,
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

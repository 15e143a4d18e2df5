import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { PaddockError } from "@paddock/protocol";
import type { Listener } from "../open_listener.ts";

const PREFIX = "/.well-known/acme-challenge/";
const MAX_CONNECTIONS = 256;
const REQUEST_MS = 5_000;

/** Answers what an ACME server asks on port 80, and nothing else. */
export class HttpChallenges implements Listener {
  readonly #answers = new Map<string, string>();
  readonly #servers: Server[] = [];

  add(token: string, answer: string): void {
    this.#answers.set(token, answer);
  }

  remove(token: string): void {
    this.#answers.delete(token);
  }

  async listen(address: { host: string; port: number }): Promise<{ port: number }> {
    const server = createServer({
      maxHeaderSize: 8 * 1024,
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: REQUEST_MS,
      connectionsCheckingInterval: 1_000,
    }, (request, response) => {
      const path = request.url ?? "";
      const token = path.startsWith(PREFIX) ? path.slice(PREFIX.length) : "";
      const answer = this.#answers.get(token);
      const headers = { "content-type": "text/plain; charset=utf-8", connection: "close" };
      response.writeHead(answer === undefined ? 404 : 200, headers);
      response.end(answer ?? "Here a certificate is asked for; pages are at https://.\n");
    });
    server.maxConnections = MAX_CONNECTIONS;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", (cause: Error & { code?: string }) => {
      const code = cause.code === "EADDRINUSE" ? "ADDRESS_IN_USE" : "INVALID_SERVER_CONFIG";
      const message = `cannot listen on ${address.host}:${address.port} for ACME: ${cause.message}`;
      reject(new PaddockError(code, { message, field: "ingress.tls.challenge.listen", cause }));
    });
    server.listen(address, resolve);
    await promise;
    // A later failure of this port costs a renewal, not the gateway.
    server.on("error", () => {});
    this.#servers.push(server);
    return { port: (server.address() as AddressInfo).port };
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#servers.splice(0).map(async (server) => {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await closed;
      }),
    );
  }
}

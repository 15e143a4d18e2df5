import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PaddockError } from "@paddock/protocol";
import type { Metrics } from "./metrics.ts";

const PATH = "/metrics";
const REQUEST_MS = 10_000;
const MOST_CONNECTIONS = 64;

/**
 * Serves the metrics of the whole node, to everybody who reaches the address: it is one of its own, which
 * an operator chooses, because they tell one organisation of the others.
 */
export async function listenForMetrics(
  metrics: Metrics,
  { host, port }: { host: string; port: number },
): Promise<AsyncDisposable & { port: number }> {
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS });
  server.maxConnections = MOST_CONNECTIONS;
  server.on("request", (request, response) => {
    const answer = (status: number, type: string, text: string) =>
      response.writeHead(status, { "content-type": type }).end(text);
    if (request.url !== PATH || request.method !== "GET") {
      return void answer(404, "text/plain", `There is ${PATH} here, and nothing else.\n`);
    }
    metrics.text().then(
      (text) => answer(200, metrics.contentType, text),
      (error) => answer(500, "text/plain", `The metrics cannot be read: ${error}\n`),
    );
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (cause: Error & { code?: string }) =>
    reject(
      new PaddockError(cause.code === "EADDRINUSE" ? "ADDRESS_IN_USE" : "INVALID_SERVER_CONFIG", {
        message: `metrics cannot be served at ${host}:${port}: ${cause.message}`,
        field: "metricsListen",
        cause,
      }),
    ));
  server.listen({ host, port }, resolve);
  await promise;
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

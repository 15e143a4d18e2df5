import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { PaddockError } from "@paddock/protocol";
import { type Listener, openListener } from "./open_listener.ts";

/** A listener over real sockets that keeps what it opened. */
class Sockets implements Listener {
  readonly servers: Server[] = [];
  closed = 0;

  async listen(address: { host: string; port: number }): Promise<{ port: number }> {
    const server = createServer();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once(
      "error",
      (cause: Error & { code?: string }) =>
        reject(cause.code === "EADDRINUSE" ? new PaddockError("ADDRESS_IN_USE", { cause }) : cause),
    );
    server.listen(address, resolve);
    await promise;
    this.servers.push(server);
    return { port: (server.address() as AddressInfo).port };
  }

  async close(): Promise<void> {
    this.closed++;
    await Promise.all(this.servers.splice(0).map((server) => once(server.close(), "close")));
  }
}

const localhost = { host: "localhost", port: 0 };

Deno.test("localhost is one port on both loopback addresses", async () => {
  const { listener, host, port } = await openListener(() => new Sockets(), localhost, 1);
  try {
    assert.equal(host, "localhost");
    const addresses = listener.servers.map((server) => server.address() as AddressInfo);
    assert.deepEqual(addresses.map(({ address }) => address), ["127.0.0.1", "::1"]);
    assert.deepEqual(addresses.map((address) => address.port), [port, port]);
  } finally {
    await listener.close();
  }
});

Deno.test("a preferred port that is taken is left to its holder; a demanded one is an error", async () => {
  const first = await openListener(() => new Sockets(), localhost, 1);
  const made: Sockets[] = [];
  const make = () => {
    made.push(new Sockets());
    return made.at(-1)!;
  };
  try {
    const second = await openListener(make, undefined, first.port);
    assert.notEqual(second.port, first.port);
    assert.equal(second.listener.servers.length, 2);
    await second.listener.close();
    const demanded = { host: "localhost", port: first.port };
    await assert.rejects(
      openListener(make, demanded, 1),
      (error: unknown) => error instanceof PaddockError && error.code === "ADDRESS_IN_USE",
    );
    assert.ok(made.every(({ servers }) => servers.length === 0), "nothing is left open");
  } finally {
    await first.listener.close();
  }
});

Deno.test("a port that is free on 127.0.0.1 and taken on ::1 is not half taken", async () => {
  const holder = new Sockets();
  const { port } = await holder.listen({ host: "::1", port: 0 });
  try {
    const opened = await openListener(() => new Sockets(), undefined, port);
    assert.notEqual(opened.port, port);
    assert.equal(opened.listener.servers.length, 2);
    await opened.listener.close();
  } finally {
    await holder.close();
  }
});

Deno.test("any other address is listened on alone", async () => {
  const any = { host: "0.0.0.0", port: 0 };
  const { listener, port } = await openListener(() => new Sockets(), any, 1);
  assert.deepEqual(listener.servers.map((server) => (server.address() as AddressInfo).port), [
    port,
  ]);
  await listener.close();
});

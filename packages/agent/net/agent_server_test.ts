import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { AgentServer } from "./agent_server.ts";
import { ExposedServices } from "./exposed_services.ts";

const TOKEN = "the-token";

function startServer(exposedPort: (domain: string) => number | "unknown" | "silent") {
  const server = new AgentServer({
    ...{ hostname: "0.0.0.0", port: 0, token: TOKEN, maxMessageBytes: 1024, exposedPort },
    identify: () => Promise.resolve(undefined),
    health: () => ({ ok: true }),
    serve: () => Promise.resolve(),
    log: () => {},
  });
  return { port: server.port, [Symbol.dispose]: () => server.close() };
}

async function ask(port: number, path: string, headers = "", more = ""): Promise<string> {
  using conn = await Deno.connect({ port });
  await conn.write(new TextEncoder().encode(
    `GET ${path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${TOKEN}\r\n${headers}\r\n${more}`,
  ));
  await conn.closeWrite();
  let text = "";
  for await (const part of conn.readable.pipeThrough(new TextDecoderStream())) text += part;
  return text;
}

const UPGRADE = "upgrade: paddock-tunnel\r\nconnection: Upgrade\r\n";

Deno.test("the agent says which port a domain leads to, whatever port the visitor used", async () => {
  const services = new ExposedServices();
  services.expose("App.example.test:4443", { port: 8000 });
  using server = startServer((domain) => {
    const target = services.targetOf(domain);
    return target === undefined ? "unknown" : "port" in target ? target.port : "silent";
  });
  services.expose("job.example.test", { pid: 12 });
  const exposed = (domain: string) => ask(server.port, `/exposed?domain=${domain}`);
  assert.match(await exposed("app.example.test"), /^HTTP\/1\.1 200 .*\r\n\r\n\{"port":8000\}$/s);
  assert.match(await exposed("APP.example.test:443"), /\{"port":8000\}$/);
  assert.match(await exposed("job.example.test"), /^HTTP\/1\.1 409 /);
  assert.match(await exposed("other.example.test"), /^HTTP\/1\.1 404 /);
  assert.match(await ask(server.port, "/exposed"), /^HTTP\/1\.1 404 /);
});

Deno.test("a tunnel carries bytes both ways to a server on either loopback address", async () => {
  using server = startServer(() => "unknown");
  for (const hostname of ["127.0.0.1", "::1"]) {
    using listener = Deno.listen({ hostname, port: 0 });
    const serving = listener.accept().then((conn) => conn.readable.pipeTo(conn.writable));
    const big = "x".repeat(300_000);
    const answer = await ask(server.port, `/tunnel?port=${listener.addr.port}`, UPGRADE, big);
    assert.match(answer, /^HTTP\/1\.1 101 /);
    assert.equal(answer.slice(answer.indexOf("\r\n\r\n") + 4), big);
    await serving;
  }
});

Deno.test("no spelling of a host leads a tunnel to the agent itself", async () => {
  using server = startServer(() => "unknown");
  const { port } = server;
  const own = Object.values(networkInterfaces()).flat().flatMap((address) =>
    address && address.family === "IPv4" ? [address.address, `::ffff:${address.address}`] : []
  );
  assert.ok(own.length > 0);
  const spellings = [
    ...own,
    ...["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1.2.3", "127.1", "0", "0.0.0.0"],
    ...["2130706433", "0x7f000001", "017700000001", "::ffff:127.0.0.1", "::ffff:7f00:1", "::"],
  ];
  assert.match(await ask(port, `/tunnel?port=${port}`, UPGRADE), /^HTTP\/1\.1 403 /);
  for (const host of spellings) {
    const target = `/tunnel?port=${port}&host=${encodeURIComponent(host)}`;
    const answer = await ask(port, target, UPGRADE);
    // Not every resolver takes every spelling: what it takes is recognised.
    assert.match(answer, /^HTTP\/1\.1 (403|502) /, `${host}: ${answer}`);
  }
  for (const spelling of [`0${port}`, `${port}.0`, `%20${port}`, `0x${port.toString(16)}`]) {
    assert.match(
      await ask(port, `/tunnel?port=${spelling}`, UPGRADE),
      /^HTTP\/1\.1 403 /,
      spelling,
    );
  }
});

Deno.test("a tunnel leads to another host by name, and says when nothing listens", async () => {
  using server = startServer(() => "unknown");
  using listener = Deno.listen({ hostname: "127.0.0.9", port: 0 });
  const serving = listener.accept().then((conn) => conn.readable.pipeTo(conn.writable));
  const { port } = listener.addr;
  const answer = await ask(server.port, `/tunnel?port=${port}&host=127.0.0.9`, UPGRADE, "hello");
  assert.ok(answer.endsWith("\r\n\r\nhello"), answer);
  await serving;
  assert.match(await ask(server.port, `/tunnel?port=${port}`, UPGRADE), /^HTTP\/1\.1 502 /);
  for (const query of ["", "port=0", "port=65536", "port=x", "port=1.5", "port=80&host="]) {
    assert.match(await ask(server.port, `/tunnel?${query}`, UPGRADE), /^HTTP\/1\.1 400 /, query);
  }
  assert.match(await ask(server.port, `/tunnel?port=${port}`), /^HTTP\/1\.1 426 /);
});

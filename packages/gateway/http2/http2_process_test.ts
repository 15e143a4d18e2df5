import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:http2";
import { connect as connectTls } from "node:tls";
import { rawGuest } from "../http/testing/raw_guest.ts";
import { rawVisitor } from "../http/testing/raw_visitor.ts";
import { type ServedIngress, serveIngress } from "../http/testing/serve_ingress.ts";

const answersOk = (socket: { write(text: string): unknown }, received: string) => {
  if (received.endsWith("\r\n\r\n")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
};

/** One request over HTTP/2; undefined when the connection ended instead. */
async function ask({ port, ca }: ServedIngress, host: string): Promise<number | undefined> {
  const session = connect(`https://${host}:${port}`, {
    createConnection: () =>
      connectTls({ host: "127.0.0.1", port, ca, servername: host, ALPNProtocols: ["h2"] }),
  });
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  session.on("error", () => resolve(undefined));
  session.on("close", () => resolve(undefined));
  const stream = session.request({ ":path": "/", ":authority": host });
  stream.on("error", () => {});
  stream.on("response", (headers) => resolve(Number(headers[":status"])));
  stream.resume();
  const status = await promise;
  session.destroy();
  return status;
}

/** The process that speaks HTTP/2 for this one. */
function http2Pids(): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const parent = Number(
        /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1],
      );
      return parent === Deno.pid &&
        readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("http2_main");
    } catch {
      return false;
    }
  });
}

Deno.test("the end of the HTTP/2 process is noticed by nobody else, and the next visitor is served", async () => {
  await using ingress = await serveIngress();
  await using guest = await rawGuest(answersOk);
  const host = ingress.expose("app", guest.port);
  using bystander = await rawVisitor(ingress, host);
  assert.equal(await ask(ingress, host), 200);
  const [pid, ...more] = http2Pids();
  assert.deepEqual(more, []);
  Deno.kill(pid, "SIGABRT");
  bystander.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await bystander.until(/ok$/);
  while (http2Pids().includes(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
  let status: number | undefined;
  for (let tries = 0; tries < 20 && status !== 200; tries++) status = await ask(ingress, host);
  assert.equal(status, 200);
  await ingress.ingress.close();
  assert.deepEqual(http2Pids(), []);
});

Deno.test("an HTTP/2 process that uses more memory than it may is ended", async () => {
  await using ingress = await serveIngress({ gatewayHttp2Mb: 1 });
  await using guest = await rawGuest(answersOk);
  const host = ingress.expose("app", guest.port);
  await ask(ingress, host);
  const deadline = Date.now() + 20_000;
  while (http2Pids().length > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.deepEqual(http2Pids(), []);
  using visitor = await rawVisitor(ingress, host);
  visitor.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await visitor.until(/ok$/);
});

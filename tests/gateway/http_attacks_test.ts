import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { Sandbox } from "@paddock/sandbox";
import { rawVisitor } from "../../packages/gateway/http/testing/raw_visitor.ts";
import { startServer, until } from "../harness.ts";
import { visit } from "../visitor.ts";
import { guestServer, OPEN_PORT } from "./guest_server.ts";

/** Where an agent listens in its guest. */
const AGENT_PORT = 4270;

/** Answers garbage by path, on connections that it keeps or closes. */
const hostileServer = `
  const answers = {
    "/garbage": "\\n\\n\\x00\\xffgarbage",
    "/two": "HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\noneHTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nstolen",
    "/both": "HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n",
    "/huge": "HTTP/1.1 200 OK\\r\\nX: " + "y".repeat(300000) + "\\r\\n\\r\\n",
    "/half": "HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nhalf",
    "/never": "",
  };
  for await (const conn of Deno.listen({ hostname: "0.0.0.0", port: 3009 })) {
    (async () => {
      const buffer = new Uint8Array(65536);
      const read = await conn.read(buffer);
      const text = new TextDecoder().decode(buffer.subarray(0, read ?? 0));
      const path = text.split(" ")[1];
      await conn.write(new TextEncoder().encode(answers[path] ?? "HTTP/1.1 204 x\\r\\nConnection: close\\r\\n\\r\\n"));
      if (path === "/half") conn.close();
    })().catch(() => {});
  }
`;

Deno.test("what strangers and hostile guests try at the gateway", async (t) => {
  await using server = await startServer();
  const options = { endpoint: server.api, token: server.token, timeout: "10m" } as const;
  await using sandbox = await Sandbox.create(options);
  await using other = await Sandbox.create(options);
  for (const each of [sandbox, other]) {
    const program = await each.createJsRuntime({ code: guestServer, stderr: "null" });
    assert.equal(await program.httpReady, true);
  }
  const url = await sandbox.exposeHttp({ port: OPEN_PORT });
  const { hostname, port } = new URL(url);
  const ingress = { port: Number(port), ca: await readFile(server.ca!, "utf8") };
  const status = async (url: string) => (await visit(url, server.ca!)).status;

  await t.step("the agent's own port, however it is named", async () => {
    const named = await sandbox.exposeHttp({ port: AGENT_PORT });
    for (const path of ["/health", "/rpc", "/exposed?domain=x", "/tunnel?port=22"]) {
      await until("an answer that is not the agent's", 60_000, async () => {
        const response = await visit(named + path, server.ca!, { headers: { upgrade: "x" } });
        assert.equal(response.headers.get("x-paddock-error"), "PORT_NOT_LISTENING");
        return response.status === 502;
      });
    }
  });

  await t.step("a name leads to the sandbox it was given to, and near misses nowhere", async () => {
    const names = await other.exposeHttp({ port: OPEN_PORT });
    const echo = JSON.parse(await (await visit(`${names}/echo`, server.ca!)).text());
    assert.equal(echo.headers.host, new URL(names).host);
    const base = hostname.slice(hostname.indexOf("."));
    assert.equal(await status(url.replace(hostname, `nobody${base}`)), 404);
    assert.equal(await status(url.replace(hostname, base.slice(1))), 404);
  });

  await t.step("requests that can be read in two ways reach no guest", async () => {
    const hidden = `GET /hidden HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`;
    for (
      const lines of [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 0\r\nContent-Length: 50\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X: y\r\n folded: z\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
      ]
    ) {
      using visitor = await rawVisitor(ingress, hostname);
      visitor.send(`POST /echo HTTP/1.1\r\nHost: ${hostname}\r\n${lines}\r\n0\r\n\r\n${hidden}`);
      const text = await visitor.closed();
      assert.match(text, /^HTTP\/1\.1 400 /);
      assert.equal(text.match(/HTTP\/1\.1 \d{3} /g)?.length, 1);
    }
  });

  await t.step("a name other than the one TLS was opened for", async () => {
    using visitor = await rawVisitor(ingress, "other.sandbox.localhost");
    visitor.send(`GET / HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
    assert.match(await visitor.until(/\}$/), /^HTTP\/1\.1 421 /);
  });

  await t.step("heads that never end are bounded; others are served meanwhile", async () => {
    using endless = await rawVisitor(ingress, hostname);
    endless.send(`GET / HTTP/1.1\r\nHost: ${hostname}\r\n`);
    const sending = setInterval(
      () => endless.send(`X-${Math.random()}: ${"y".repeat(4000)}\r\n`),
      5,
    );
    const text = await endless.closed().finally(() => clearInterval(sending));
    assert.match(text, /^HTTP\/1\.1 431 /);
    assert.equal(await status(`${url}/nothing`), 204);
  });

  await t.step("a guest that answers garbage harms its own visitors alone", async () => {
    await sandbox.spawn("deno", {
      ...{ args: ["eval", hostileServer], stdin: "null", stdout: "null", stderr: "null" },
    });
    const hostile = await sandbox.exposeHttp({ port: 3009 });
    await until("the hostile server", 30_000, async () => await status(hostile) === 204);
    assert.equal(await status(`${hostile}/garbage`), 502);
    assert.equal(await status(`${hostile}/both`), 502);
    assert.equal(await status(`${hostile}/huge`), 502);
    for (let i = 0; i < 3; i++) {
      assert.equal(await (await visit(`${hostile}/two`, server.ca!)).text(), "one");
    }
    await assert.rejects(visit(`${hostile}/half`, server.ca!));
    const waiting = visit(`${hostile}/never`, server.ca!, { signal: AbortSignal.timeout(2_000) });
    assert.equal(await status(`${url}/nothing`), 204);
    await assert.rejects(waiting);
  });

  await t.step(
    "after all of it the server serves, and has logged no failure of its own",
    async () => {
      assert.equal(await status(`${url}/nothing`), 204);
      assert.doesNotMatch(await server.log(), /"level":"error"|\berror\b.*(visit|gateway)/i);
    },
  );
});

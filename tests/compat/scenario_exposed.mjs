import assert from "node:assert/strict";

/** exposeHttp, create({ port }), exposeSsh: what strangers reach, from this program as one of them. */
export async function exposed({ sandbox, check, create, runDeno, isV2 }) {
  const nowhere = { stdin: "null", stdout: "null", stderr: "null" };
  const serve = (options, answer) =>
    runDeno({ code: `Deno.serve(${options}, ${answer})`, ...nowhere });
  const name = /^https:\/\/[0-9a-hjkmnp-tv-z]{26}\.sandbox\.localhost(:\d+)?$/;

  await check("exposeHttp: a port, whichever address its server listens on", async () => {
    for (const hostname of ["0.0.0.0", "127.0.0.1"]) {
      const server = await serve(
        `{ port: 8201, hostname: "${hostname}" }`,
        `async (request) => new Response(
          request.method + new URL(request.url).pathname + await request.text(),
          { status: 201, headers: { "x-host": request.headers.get("host") } },
        )`,
      );
      assert.equal(await server.httpReady, true);
      const url = await sandbox.exposeHttp({ port: 8201 });
      assert.match(url, name);
      const response = await fetch(`${url}/path`, { method: "POST", body: " body" });
      assert.equal(response.status, 201);
      assert.equal(await response.text(), "POST/path body");
      assert.equal(response.headers.get("x-host"), new URL(url).host);
      await server.kill();
      await server.status;
    }
  });
  await check("exposeHttp: a process, several at once", async () => {
    const servers = await Promise.all(
      [8202, 8203].map((port) => serve(`{ port: ${port} }`, `() => new Response("at ${port}")`)),
    );
    const urls = await Promise.all(servers.map(async (server) => {
      assert.equal(await server.httpReady, true);
      return sandbox.exposeHttp(server);
    }));
    const again = await sandbox.exposeHttp({ port: 8203 });
    assert.equal(new Set([...urls, again]).size, 3);
    const texts = await Promise.all(
      [...urls, again].map(async (url) => (await fetch(url)).text()),
    );
    assert.deepEqual(texts, ["at 8202", "at 8203", "at 8203"]);
    for (const server of servers) {
      await server.kill();
      await server.status;
    }
  });
  await check("exposeHttp: what cannot be exposed", async () => {
    for (const port of [0, -1, 65_536, 1.5]) {
      await assert.rejects(sandbox.exposeHttp({ port }), Error, `port ${port}`);
    }
    await assert.rejects(sandbox.exposeHttp({ pid: 999_999 }), Error);
  });
  await check("exposeHttp: nobody listens: 502 that names the port, not a hang", async () => {
    const closed = await sandbox.exposeHttp({ port: 8204 });
    const response = await fetch(closed);
    assert.equal(response.status, 502);
    assert.match(await response.text(), /\b8204\b/);
    const idle = await runDeno({ code: "setInterval(() => {}, 1000)", ...nowhere });
    const url = await sandbox.exposeHttp(idle);
    const ofIdle = await fetch(url);
    assert.equal(ofIdle.status, 502);
    await ofIdle.body.cancel();
    await idle.kill();
    await idle.status;
  });
  await check("a name that was never given", async () => {
    const url = new URL(await sandbox.exposeHttp({ port: 8205 }));
    const response = await fetch(`https://${"0".repeat(26)}.${url.host.slice(27)}`);
    assert.equal(response.status, 404);
    await response.body.cancel();
  });
  await check("a preview URL ends with its sandbox: 410", async () => {
    const own = await create();
    const url = await own.exposeHttp({ port: 8000 });
    await own.close();
    await own.closed;
    for (let tries = 0;; tries++) {
      const response = await fetch(url);
      await response.body.cancel();
      if (response.status === 410) break;
      assert.ok(tries < 50, `it still answers ${response.status}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  await check("exposeSsh: credentials, new ones each time", async () => {
    const one = await sandbox.exposeSsh();
    const two = await sandbox.exposeSsh();
    assert.match(one.username, /^ssh_[0-9a-hjkmnp-tv-z]{26}$/);
    assert.notEqual(one.username, two.username);
    assert.match(one.hostname, /^[a-z0-9.-]+(:\d+)?$/);
  });
  if (isV2) return;
  await check("create with port and ssh", async () => {
    const own = await create({ port: 8206, ssh: true });
    assert.match(own.url, name);
    assert.match(own.ssh.username, /^ssh_/);
    const server = await own.deno.run({
      code: "Deno.serve({ port: 8206 }, () => new Response('by create'))",
      ...nowhere,
    });
    assert.equal(await server.httpReady, true);
    assert.equal(await (await fetch(own.url)).text(), "by create");
    await own.close();
  });
}

import assert from "node:assert/strict";

/** fetch from the sandbox's network. */
export async function network({ sandbox, check, runDeno }) {
  const server = await runDeno({
    code: `Deno.serve({ port: 8123 }, async (request) => {
      const path = new URL(request.url).pathname;
      if (path === "/big") return new Response(new Uint8Array(3_000_000).fill(7));
      if (path === "/to") return new Response(null, { status: 302, headers: { location: "/at" } });
      if (path === "/slow") await new Promise((resolve) => setTimeout(resolve, 60_000));
      return new Response(request.method + path + await request.text(), { headers: { "x-a": "b" } });
    });`,
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  });
  assert.equal(await server.httpReady, true);
  const at = "http://127.0.0.1:8123";

  await check("fetch: method, body, headers, status", async () => {
    const response = await sandbox.fetch(`${at}/x`, { method: "PUT", body: "body" });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("x-a"), "b");
    assert.equal(await response.text(), "PUT/xbody");
  });
  await check("fetch: streams both ways", async () => {
    const big = await sandbox.fetch(`${at}/big`);
    const bytes = new Uint8Array(await big.arrayBuffer());
    assert.equal(bytes.length, 3_000_000);
    assert.ok(bytes.every((byte) => byte === 7));
    const text = "u".repeat(1_000_000);
    const echoed = await sandbox.fetch(`${at}/up`, { method: "POST", body: text });
    assert.equal((await echoed.text()).length, "POST/up".length + text.length);
  });
  await check("fetch: redirects", async () => {
    assert.equal(await (await sandbox.fetch(`${at}/to`)).text(), "GET/at");
    const manual = await sandbox.fetch(`${at}/to`, { redirect: "manual" });
    assert.equal(manual.status, 302);
  });
  await check("fetch: abort", async () => {
    const signal = AbortSignal.timeout(300);
    await assert.rejects(
      sandbox.fetch(`${at}/slow`, { signal }),
      (error) => error.name === "AbortError",
    );
  });
  await check("fetch: errors", async () => {
    await assert.rejects(sandbox.fetch("http://127.0.0.1:9/"), TypeError);
    await assert.rejects(sandbox.fetch("http://no-such-host.invalid/"), TypeError);
  });
  await server.kill();
  await server.status;
}

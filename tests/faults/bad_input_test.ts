import assert from "node:assert/strict";
import { limits } from "@paddock/protocol";
import { Sandbox } from "@paddock/sandbox";
import { startServer, type TestServer, until } from "../harness.ts";
import { RawConnection } from "./raw_connection.ts";

const unknownId = "sbx_ord_00000000000000000000";

interface ApiAnswer {
  status: number;
  traceId: string | null;
  // deno-lint-ignore no-explicit-any
  body: any;
}

async function ask(
  server: TestServer,
  path: string,
  init: RequestInit & { token?: string | null } = {},
): Promise<ApiAnswer> {
  const headers = new Headers(init.headers);
  const token = init.token === undefined ? server.token : init.token;
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  if (init.body) headers.set("content-type", "application/json");
  const response = await fetch(`${server.api}${path}`, { ...init, headers });
  const text = await response.text();
  return {
    status: response.status,
    traceId: response.headers.get("x-deno-trace-id"),
    body: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text,
  };
}

const create = (server: TestServer, config: unknown, token?: string) =>
  ask(server, "/api/v3/sandboxes", { method: "POST", body: JSON.stringify(config), token });

Deno.test("bad input at the HTTP API", async (t) => {
  await using server = await startServer();

  await t.step("401 without, with a wrong and with a malformed token", async () => {
    const tokens = [null, "ddo_wrong", "", "x".repeat(5000), `${server.token}x`];
    for (const token of tokens) {
      for (const path of ["/api/v2/sandboxes", `/api/v3/sandbox/${unknownId}`]) {
        const answer = await ask(server, path, { token });
        assert.equal(answer.status, 401, `${path} with ${token}`);
        assert.match(answer.body.code, /^(INVALID|MISSING)_TOKEN$/);
        assert.ok(answer.body.message);
        assert.ok(answer.traceId, "the response carries a trace id");
      }
      assert.equal((await create(server, {}, token ?? "")).status, 401);
    }
  });

  await t.step("400 with the field's name", async () => {
    const manyLabels = Object.fromEntries(
      Array.from({ length: limits.labels.default + 1 }, (_, i) => [`k${i}`, "v"]),
    );
    const stopPast = Date.now() - 3_600_000;
    const cases: [unknown, RegExp][] = [
      [{ memory_mb: 64 }, /memory_mb/],
      [{ memory_mb: limits.memoryMaxMb.default + 1 }, /memory_mb/],
      [{ memory_mb: "512" }, /memory_mb/],
      [{ memory_mb: 512.5 }, /memory_mb/],
      [{ memory_mb: -1 }, /memory_mb/],
      [{ labels: manyLabels }, /labels/],
      [{ labels: { ["k".repeat(limits.labelKeyBytes.default + 1)]: "v" } }, /labels/],
      [{ labels: { k: "v".repeat(limits.labelValueBytes.default + 1) } }, /labels/],
      [{ labels: { k: 1 } }, /labels/],
      [{ labels: [] }, /labels/],
      [{ stop_at_ms: "5m" }, /stop_at_ms/],
      [{ stop_at_ms: stopPast }, /stop_at_ms/],
      [{ stop_at_ms: Date.now() + limits.timeoutMaxMs.default + 3_600_000 }, /stop_at_ms/],
      [{ env: { "A=B": "x" } }, /env/],
      [{ env: { A: 1 } }, /env/],
      [{ region: "xyz" }, /region/],
      [{ region: 7 }, /region/],
      [{ memory: "512MiB" }, /memory/],
      [{ __proto__x: 1 }, /__proto__x/],
      [{ labels: { "": "v" } }, /labels/],
    ];
    for (const [config, field] of cases) {
      const { status, body } = await create(server, config);
      const seen = `${JSON.stringify(config).slice(0, 200)} → ${status} ${JSON.stringify(body)}`;
      assert.equal(status, 400, seen);
      assert.match(`${body.field} ${body.message}`, field, seen);
      assert.ok(body.code && body.message.length < 2000, seen);
    }
    const { body } = await create(server, { region: "xyz" });
    assert.match(body.message + (body.hint ?? ""), /ord/, "the known regions are listed");
  });

  await t.step("400 and 413 for bodies and headers that are no configuration", async () => {
    for (const body of ["{", "[]", '"x"', "1", '{"memory_mb":1e999}']) {
      const answer = await ask(server, "/api/v3/sandboxes", { method: "POST", body });
      assert.equal(answer.status, 400, `${body} → ${JSON.stringify(answer.body)}`);
    }
    const huge = JSON.stringify({ labels: { k: "v".repeat(limits.requestBodyBytes.default) } });
    const answer = await ask(server, "/api/v3/sandboxes", { method: "POST", body: huge });
    assert.equal(answer.status, 413);
    for (const config of ["%%%", btoa("{"), btoa("[]"), btoa('{"memory_mb":1}')]) {
      const response = await upgradeAttempt(server, config);
      assert.equal(response.status, 400, `${config} → ${response.status}`);
      assert.ok(JSON.parse(response.body).code);
    }
  });

  await t.step("404 for what is not there, 405 for what it cannot do", async () => {
    for (const method of ["GET", "DELETE"]) {
      const answer = await ask(server, `/api/v3/sandbox/${unknownId}`, { method });
      assert.equal(answer.status, 404);
      assert.equal(answer.body.code, "SANDBOX_NOT_FOUND");
    }
    const body = JSON.stringify({ stop_at_ms: Date.now() + 60_000 });
    const patch = await ask(server, `/api/v3/sandbox/${unknownId}`, { method: "PATCH", body });
    assert.equal(patch.status, 404);
    for (const id of ["x", "..%2f..", "sbx_ord_ILLEGAL", "%00", "a".repeat(4000)]) {
      const answer = await ask(server, `/api/v3/sandbox/${id}`);
      assert.ok([400, 404].includes(answer.status), `${id} → ${answer.status}`);
    }
    assert.equal((await ask(server, "/api/v3/nothing")).status, 404);
    assert.ok(
      [404, 405].includes((await ask(server, "/api/v2/sandboxes", { method: "PUT" })).status),
    );
  });

  await t.step("another organisation's sandbox looks like none", async () => {
    const other = await server.createToken("other");
    const made = await create(server, {});
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const { id } = made.body;
    const answers = (target: string) =>
      Promise.all([
        ask(server, `/api/v3/sandbox/${target}`, { token: other }),
        ask(server, `/api/v3/sandbox/${target}`, { token: other, method: "DELETE" }),
        ask(server, `/api/v3/sandbox/${target}/logs`, { token: other }),
        ask(server, `/api/v3/sandbox/${target}`, {
          ...{ token: other, method: "PATCH" },
          body: JSON.stringify({ stop_at_ms: Date.now() + 60_000 }),
        }),
      ]);
    const strip = (list: ApiAnswer[]) =>
      list.map(({ status, body }) => {
        const { traceId: _, ...rest } = body;
        return {
          status,
          text: JSON.stringify(rest).replaceAll(id, "ID").replaceAll(unknownId, "ID"),
        };
      });
    assert.deepEqual(strip(await answers(id)), strip(await answers(unknownId)));
    for (const { status } of await answers(id)) assert.ok([403, 404].includes(status));
    await assert.rejects(RawConnection.open(server, { id, token: other }), /40[34]/);
    const listed = await ask(server, "/api/v2/sandboxes", { token: other });
    assert.deepEqual(listed.body, []);
    assert.equal((await ask(server, `/api/v3/sandbox/${id}`)).status, 200);
    const wrongOrganization = await ask(server, "/api/v2/sandboxes", {
      headers: { "x-deno-org": "somebody-else" },
    });
    assert.ok([401, 403].includes(wrongOrganization.status), String(wrongOrganization.status));
    assert.equal(
      (await ask(server, `/api/v3/sandbox/${id}`, { method: "DELETE" })).status < 300,
      true,
    );
  });
});

Deno.test("bad messages on a connection", async (t) => {
  await using server = await startServer();
  const config = { stop_at_ms: Date.now() + 600_000 };
  await using connection = await RawConnection.open(server, { config });
  const alive = async () => {
    const reply = await connection.call("envToObject", {});
    assert.ok(reply.result.ok, JSON.stringify(reply));
  };
  const errorTo = async (text: string, id: number | string | null, code: number) => {
    const reply = connection.reply(id);
    connection.sendText(text);
    const { error } = await reply;
    assert.equal(error?.code, code, `${text} → ${JSON.stringify(error)}`);
    assert.ok(error.message);
    await alive();
  };

  await t.step("-32700: not JSON", async () => {
    await errorTo("{", null, -32700);
    await errorTo("pong pong", null, -32700);
    await errorTo("\ufeff{}", null, -32700);
  });
  await t.step("-32600: JSON, but no request", async () => {
    await errorTo("[]", null, -32600);
    await errorTo("null", null, -32600);
    await errorTo("1", null, -32600);
    await errorTo('{"jsonrpc":"1.0","id":1,"method":"envGet"}', 1, -32600);
    await errorTo('{"jsonrpc":"2.0","id":2}', 2, -32600);
    await errorTo('{"jsonrpc":"2.0","id":{},"method":"envGet"}', null, -32600);
    await errorTo('{"jsonrpc":"2.0","id":3,"method":4}', 3, -32600);
  });
  await t.step("-32601: no such method", async () => {
    for (const method of ["nothing", "", "toString", "__proto__", "constructor", "env.get"]) {
      const { error } = await connection.call(method, {});
      assert.equal(error?.code, -32601, `${method}: ${JSON.stringify(error)}`);
    }
    await alive();
  });
  await t.step("-32602: wrong parameters, and which", async () => {
    const cases: [string, unknown, RegExp][] = [
      ["readFile", {}, /path/],
      ["readFile", undefined, /param|path|object/i],
      ["readFile", [], /param|path|object/i],
      ["readFile", { path: 1 }, /path/],
      ["readFile", { path: "a", surprise: 1 }, /surprise/],
      ["spawn", { command: "true", stdout: "inherit", stderr: "null" }, /stdout/],
      ["spawn", { command: "true", args: "x", stdout: "null", stderr: "null" }, /args/],
      ["writeFile", { path: "a", content: "not base64!" }, /content/],
      ["writeFile", { path: "a" }, /content/],
      ["utime", { path: "a", atime: "never", mtime: "never" }, /[am]time/],
      ["walk", { path: ".", match: [{ source: "(", flags: "" }] }, /match/],
      ["exposeHttp", { domain: "d", port: 70_000 }, /port/],
    ];
    for (const [method, params, field] of cases) {
      const { error } = await connection.call(method, params);
      const seen = `${method} ${JSON.stringify(params)} → ${JSON.stringify(error)}`;
      assert.equal(error?.code, -32602, seen);
      assert.match(`${error.message} ${JSON.stringify(error.data ?? "")}`, field, seen);
    }
    await alive();
  });
  await t.step("a path with a NUL byte is refused, not run", async () => {
    const { error, result } = await connection.call("readFile", { path: "/etc/hosts\0x" });
    assert.ok(error?.code === -32602 || result?.error, JSON.stringify({ error, result }));
    await alive();
  });
  await t.step("same id twice, huge id, id as text", async () => {
    const first = connection.reply("text-id");
    connection.sendText(
      '{"jsonrpc":"2.0","id":"text-id","method":"envGet","params":{"key":"PATH"}}',
    );
    assert.ok((await first).result.ok);
    await alive();
  });
  await t.step("stream notifications for streams that are not there", async () => {
    for (const method of ["start", "enqueue", "end", "error", "cancel"]) {
      const params = { streamId: 12345, data: "AA==", error: null, reason: null };
      connection.sendText(
        JSON.stringify({ jsonrpc: "2.0", method: `$sandbox.stream.${method}`, params }),
      );
    }
    connection.sendText('{"jsonrpc":"2.0","method":"$sandbox.nonsense"}');
    await alive();
  });
  await t.step("1009 for a message over the limit; the sandbox lives on", async () => {
    const other = await RawConnection.open(server, { id: connection.sandboxId });
    other.socket.send("x".repeat(limits.messageBytes.default + 1));
    const { code } = await other.closed;
    assert.equal(code, 1009);
    await alive();
  });
  await t.step("1007 for text that is not UTF-8", async () => {
    const other = await RawConnection.open(server, { id: connection.sandboxId });
    other.socket.send(new Uint8Array([0xff, 0xfe, 0xfd]), { binary: false });
    const { code } = await other.closed;
    assert.equal(code, 1007);
    await alive();
  });
  await t.step(
    "a binary frame that nobody negotiated is answered, not fatal to others",
    async () => {
      const other = await RawConnection.open(server, { id: connection.sandboxId });
      other.socket.send(new Uint8Array(100));
      const ended = other.closed.then(({ code }) => code);
      const answer = other.call("envToObject", {}).then(() => "alive" as const, () => "closed");
      const outcome = await Promise.race([ended, answer]);
      assert.ok(outcome === "alive" || outcome === 1003 || outcome === "closed", String(outcome));
      other.socket.terminate();
      await alive();
    },
  );
});

Deno.test("Deno's error classes reach our own client", async () => {
  await using server = await startServer();
  await using sandbox = await Sandbox.create({ endpoint: server.api, token: server.token });
  const classOf = (promise: Promise<unknown>) =>
    promise.then(() => "nothing thrown", (error) => error.constructor.name);
  const { fs } = sandbox;
  await fs.writeTextFile("f", "x");
  assert.equal(await classOf(fs.readTextFile("gone")), "NotFound");
  assert.equal(await classOf(fs.writeTextFile("f", "y", { createNew: true })), "AlreadyExists");
  assert.equal(await classOf(fs.readFile("/tmp")), "IsADirectory");
  assert.equal(await classOf(fs.readFile("f/below")), "NotADirectory");
  assert.equal(await classOf(fs.readTextFile("/etc/shadow")), "PermissionDenied");
  assert.equal(await classOf(sandbox.spawn("no-such-command")), "NotFound");
  await using file = await fs.open("f");
  await file.close();
  assert.equal(await classOf(file.stat()), "BadResource");
  await sandbox.sh`ln -s loop loop`;
  assert.equal(await classOf(fs.readFile("loop")), "FilesystemLoop");
});

Deno.test("a host that cannot run sandboxes says what doctor would say", async () => {
  // In a mount namespace of its own the server finds nothing to execute where runsc and QEMU are.
  const hide = "for name in runsc qemu-system-x86_64; do " +
    'mount --bind /dev/null "$(readlink -f "$(command -v $name)")"; done; exec "$@"';
  const starting = startServer({ launcher: ["unshare", "--mount", "sh", "-ec", hide, "sh"] });
  await assert.rejects(starting.then((server) => server[Symbol.asyncDispose]()), (error) => {
    const { message } = error as Error;
    assert.match(message, /exit code [1-9]/);
    assert.match(message, /runsc/);
    assert.match(message, /doctor|npm run setup/);
    return true;
  });
});

async function upgradeAttempt(server: TestServer, config: string) {
  const { hostname, port } = new URL(server.api);
  using socket = await Deno.connect({ hostname, port: Number(port) });
  const lines = [
    "GET /api/v3/sandboxes/create HTTP/1.1",
    `host: ${hostname}:${port}`,
    "connection: Upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    `authorization: Bearer ${server.token}`,
    `x-deno-sandbox-config: ${config}`,
  ];
  await socket.write(new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n"));
  let text = "";
  const buffer = new Uint8Array(65536);
  const decoder = new TextDecoder();
  await until("an answer", 10_000, async () => {
    const count = await socket.read(buffer);
    if (count === null) return true;
    text += decoder.decode(buffer.subarray(0, count));
    const [head, body] = text.split("\r\n\r\n");
    return body?.length >= Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Infinity);
  });
  return { status: Number(text.split(" ")[1]), body: text.slice(text.indexOf("\r\n\r\n") + 4) };
}

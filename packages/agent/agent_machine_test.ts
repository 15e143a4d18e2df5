import assert from "node:assert/strict";
import { type AgentProcess, startAgentProcess } from "./_agent_process.ts";
import { type Encoding, RpcClient } from "./_rpc_client.ts";

const isRoot = Deno.uid() === 0;
const whySkipped = isRoot ? "" : " (skipped: the agent changes its user, which takes root)";

function test(name: string, work: (agent: AgentProcess) => Promise<void>, env = {}): void {
  Deno.test({
    name: `${name}${whySkipped}`,
    ignore: !isRoot,
    fn: async () => {
      await using agent = await startAgentProcess(env);
      await work(agent);
      assert.ok(agent.alive(), agent.log());
      assert.doesNotMatch(agent.log(), /unhandled/);
    },
  });
}

const encodings: Encoding[] = ["v2", "v3", "rich"];

test("only the token opens the agent", async (agent) => {
  const status = async (authorization: string) => {
    const response = await fetch(`http://127.0.0.1:${agent.port}/health`, {
      headers: authorization ? { authorization } : {},
    });
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await status(""), 401);
  assert.equal(await status("Bearer wrong"), 401);
  assert.equal(await status(agent.token), 401);
  assert.equal(await status(`Bearer ${agent.token}`), 200);
  await assert.rejects(RpcClient.connect({ port: agent.port, token: "wrong" }));
});

test("values come back from a REPL in every encoding", async (agent) => {
  for (const encoding of encodings) {
    await using client = await RpcClient.connect(agent, encoding);
    const pid = await client.repl();
    const evaluate = (code: string) => client.call("denoReplEval", { pid, code });
    assert.equal(await evaluate("const n: number = 20; n + 1"), 21);
    assert.equal(await evaluate("n + 2"), 22, "a REPL keeps its state");
    assert.equal(
      await evaluate("await new Promise((done) => setTimeout(() => done('late'), 5))"),
      "late",
    );
    assert.deepEqual(await evaluate("class P { a = 1; m() {} }; [new P(), () => 1]"), [
      { a: 1 },
      encoding === "v3" ? null : undefined,
    ]);
    const map = await evaluate("new Map([[1, new Set([2n])]])");
    if (encoding === "v3") assert.deepEqual(map, [[1, ["2"]]]);
    else assert.deepEqual(map, new Map([[1, new Set([2n])]]));
    assert.equal(
      await client.call("denoReplCall", { pid, fn: "(a, b) => a + b", args: [1, 2] }),
      3,
    );
    await assert.rejects(
      evaluate("throw new RangeError('far', { cause: new TypeError('near') })"),
      (error: Error) => {
        assert.ok(error instanceof RangeError);
        assert.equal(error.message, "far");
        assert.match(error.stack ?? "", /at <repl>:1:7/);
        assert.doesNotMatch(error.stack ?? "", /Session\.post|repl\.js/);
        return true;
      },
    );
    await assert.rejects(evaluate("let {"), SyntaxError);
    await assert.rejects(evaluate("throw 5"), /5/);
    assert.equal(await evaluate("1 + 1"), 2, "an error ends nothing");
    await client.call("denoReplClose", { pid });
    await assert.rejects(
      evaluate("1"),
      (error: { code?: string }) => error.code === "REPL_CLOSED" || error.code === "ENOENT",
    );
  }
});

test("modules in a REPL follow its directory", async (agent) => {
  await using client = await RpcClient.connect(agent);
  await client.call("mkdir", { path: "project/lib", options: { recursive: true } });
  const write = (path: string, content: string) => client.call("writeTextFile", { path, content });
  await write("project/deno.json", `{"imports":{"lib/":"./lib/"}}`);
  await write("project/lib/a.ts", "export const a: number = 1; export default 'd'");
  const pid = await client.repl({ cwd: "project", env: { ONE: "1" }, scriptArgs: ["x", "y"] });
  const evaluate = (code: string) => client.call("denoReplEval", { pid, code });
  assert.deepEqual(await evaluate("import d, { a as b } from 'lib/a.ts'; [d, b]"), ["d", 1]);
  assert.equal(await evaluate("(await import('./lib/a.ts')).a"), 1);
  assert.equal(await evaluate("Deno.cwd()"), `${agent.home}/project`);
  assert.deepEqual(await evaluate("[Deno.env.get('ONE'), ...Deno.args]"), ["1", "x", "y"]);
  assert.equal(
    await evaluate(
      "Object.keys(Deno.env.toObject()).filter((k) => k.startsWith('PADDOCK')).length",
    ),
    0,
  );
});

test("a REPL that ends, hangs or fails alone is told about and no more", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const exits = await client.repl();
  await assert.rejects(
    client.call("denoReplEval", { pid: exits, code: "Deno.exit(4)" }),
    /exited with code 4/,
  );
  assert.equal((await client.call("processWait", { pid: exits })).code, 4);
  const hangs = await client.repl();
  const endless = client.call("denoReplEval", { pid: hangs, code: "while (true) {}" });
  endless.catch(() => {});
  const other = await client.repl();
  assert.equal(await client.call("denoReplEval", { pid: other, code: "2" }), 2);
  await client.call("processKill", { pid: hangs, signal: "SIGKILL" });
  await assert.rejects(endless, /SIGKILL/);
  await client.call("denoReplEval", {
    pid: other,
    code:
      "setTimeout(() => { throw new Error('nobody waits') }); Promise.reject(new Error('nor here')); 0",
  });
  assert.equal(await client.call("denoReplEval", { pid: other, code: "await 3" }), 3);
});

test("a REPL evaluates at once what came with the request for it", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const open = (code: string, ticket: string, more: { cwd?: string } = {}) =>
    client.call("spawnDenoRepl", {
      ...{ stdout: "null", stderr: "null", evaluate: { code, ticket }, ...more },
    });
  const value = (ticket: string) => client.call("paddock.evaluated", { ticket });
  // Nobody waits for the REPL before asking for the value.
  const [{ pid }, first] = await Promise.all([
    open("globalThis.n = 40; await 0; n + 2", "a"),
    value("a"),
  ]);
  assert.equal(first, 42);
  assert.equal(await client.call("denoReplEval", { pid, code: "n" }), 40);
  await assert.rejects(value("a"), { code: "REPL_CLOSED" });
  const thrown = Promise.all([open("throw new RangeError('no')", "b"), value("b")]);
  await assert.rejects(thrown, (error: Error) => error instanceof RangeError);
  const endless = open("await new Promise(() => {})", "c");
  await endless;
  await assert.rejects(open("1", "c"), /another evaluation has it/);
  const lost = value("c");
  lost.catch(() => {});
  await client.call("processKill", { pid: (await endless).pid, signal: "SIGKILL" });
  await assert.rejects(lost, /SIGKILL/);
  // What opens no REPL evaluates nothing, and its ticket is free again.
  await assert.rejects(open("1", "d", { cwd: "/gone" }), { code: "ENOENT" });
  await assert.rejects(value("d"), { code: "REPL_CLOSED" });
  await open("2", "d");
  assert.equal(await value("d"), 2);
});

test("files are the sandbox user's, and what it may not do is refused", async (agent) => {
  for (const encoding of encodings) {
    await using client = await RpcClient.connect(agent, encoding);
    const path = `${encoding}.txt`;
    await client.call("writeTextFile", { path, content: "grüße" });
    assert.equal(await client.call("readTextFile", { path }), "grüße");
    assert.equal((await client.call("stat", { path })).uid, 1000);
    assert.equal(Deno.statSync(`${agent.home}/${path}`).uid, 1000);
    const { fileHandleId } = await client.call("open", { path, options: { read: true } });
    const { data } = await client.call("fileRead", { fileHandleId, length: 4 });
    assert.equal(data?.length, 4);
    await client.call("fileClose", { fileHandleId });
    await assert.rejects(client.call("fileStat", { fileHandleId }), /Bad resource/);
    const refused = client.call("writeTextFile", { path: "/etc/paddock", content: "" });
    if (encoding === "v2") await assert.rejects(refused, /Permission denied/);
    else await assert.rejects(refused, Deno.errors.PermissionDenied);
    const missing = client.call("readFile", { path: "missing" });
    await assert.rejects(missing, (error: { code?: string }) => error.code === "ENOENT");
  }
});

test("streams of megabytes pass both ways in every encoding", async (agent) => {
  for (const encoding of encodings) {
    await using client = await RpcClient.connect(agent, encoding);
    const bytes = new Uint8Array(5_000_000).map((_, i) => i * 7);
    const contentStreamId = client.hub.openOutbound(new Blob([bytes]).stream());
    await client.call("writeFile", { path: "big", contentStreamId });
    const { stdoutStreamId } = await client.call("spawn", {
      command: "cat",
      args: ["big"],
      stdout: "piped",
      stderr: "null",
    });
    const back = await new Response(client.hub.acceptInbound(stdoutStreamId!)).bytes();
    assert.deepEqual(back, bytes);
    const stdinStreamId = client.hub.openOutbound(new Blob([bytes]).stream());
    const { stdout } = await client.run("sha256sum", [], { stdinStreamId });
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    assert.equal(stdout.split(" ")[0], digest.toHex());
  }
});

test("who reads slowly holds up the process, not the agent's memory", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const before = agent.residentBytes();
  const { pid, stdoutStreamId } = await client.call("spawn", {
    command: "cat",
    args: ["/dev/zero"],
    stdout: "piped",
    stderr: "null",
  });
  const reader = client.hub.acceptInbound(stdoutStreamId!).getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const grown = agent.residentBytes() - before;
  assert.ok(grown < 64 * 1024 * 1024, `grown by ${grown} bytes`);
  await client.call("processKill", { pid, signal: "SIGKILL" });
  await reader.cancel();
});

test("processes: signals, groups, what is not there", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const start = (args: string[]) =>
    client.call("spawn", { command: "bash", args, stdout: "piped", stderr: "null" });
  const { pid, stdoutStreamId } = await start([
    "-c",
    "setsid sleep 61 & (trap '' TERM; sleep 62) & echo ready; wait",
  ]);
  const reader = client.hub.acceptInbound(stdoutStreamId!).getReader();
  await reader.read();
  await assert.rejects(client.call("processKill", { pid, signal: "SIGFOO" }), TypeError);
  await client.call("processKill", { pid, signal: "SIGKILL" });
  const { success, code, signal } = await client.call("processWait", { pid });
  assert.deepEqual({ success, code, signal }, { success: false, code: 137, signal: "SIGKILL" });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(
    (await client.shell("pgrep -U 1000 -fx 'sleep 6[12]' || echo none")).stdout,
    "none\n",
  );
  for (const gone of [pid, 999_999]) {
    await assert.rejects(
      client.call("processKill", { pid: gone }),
      (error: { code?: string }) => error.code === "ENOENT",
    );
  }
  const ended = await client.shell("kill -TERM $$");
  assert.deepEqual([ended.code, ended.signal], [143, "SIGTERM"]);
  assert.equal((await client.shell("exit 3")).code, 3);
  const background = await client.shell("sleep 20 & echo hi");
  assert.equal(background.stdout, "hi\n");
  await assert.rejects(client.run("no-such-command"), Deno.errors.NotFound);
  await assert.rejects(client.run("ls", [], { cwd: "/nowhere" }), Deno.errors.NotFound);
  const bare = await client.run("/usr/bin/env", [], { clearEnv: true, env: { A: "1" } });
  assert.equal(bare.stdout, "A=1\n");
});

test("who uses too much memory is ended, others are not", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const innocent = await client.call("spawn", {
    command: "sleep",
    args: ["30"],
    stdout: "null",
    stderr: "null",
  });
  const greedy = await client.run("deno", [
    "eval",
    "const kept = []; while (true) { kept.push(new Uint8Array(8e6).fill(1)); }",
  ], { command: `${agent.directory}/deno` });
  assert.equal(greedy.oom, "high-confidence");
  assert.equal(greedy.signal, "SIGKILL");
  await client.call("processKill", { pid: innocent.pid });
  const { oom, signal } = await client.call("processWait", { pid: innocent.pid });
  assert.deepEqual([oom, signal], [null, "SIGTERM"]);
}, { PADDOCK_MEMORY_BYTES: String(400 * 1024 * 1024) });

test("a program that serves is waited for and fetched from", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const code =
    "Deno.serve({ port: 0, onListen() {} }, async (request) => request.method === 'POST' " +
    "? new Response(await request.text() + '!') : new Response(request.url));";
  const options = { extension: "ts", stdout: "null", stderr: "null" } as const;
  const { pid } = await client.call("spawnDeno", { code, ...options });
  assert.equal(await client.call("denoHttpWait", { pid }), true);
  const get = { method: "GET", headers: [], redirect: "follow" as const, pid };
  const answer = await client.call("fetch", { ...get, url: "https://example.com/a?b" });
  assert.equal(answer.status, 200);
  const text = await new Response(client.hub.acceptInbound(answer.bodyStreamId!)).text();
  assert.equal(text, "http://example.com/a?b");
  const bodyStreamId = client.hub.openOutbound(new Blob(["body"]).stream());
  const posted = await client.call("fetch", {
    ...get,
    method: "POST",
    url: "http://x/",
    bodyStreamId,
  });
  assert.equal(await new Response(client.hub.acceptInbound(posted.bodyStreamId!)).text(), "body!");
  await client.call("processKill", { pid });
  await client.call("processWait", { pid });
  await assert.rejects(
    client.call("fetch", { ...get, url: "http://x/" }),
    Deno.errors.ConnectionRefused,
  );
  const short = await client.call("spawnDeno", { code: "1", ...options });
  assert.equal(await client.call("denoHttpWait", { pid: short.pid }), false);
  const left = (await client.call("readDir", { path: "." })).map(({ name }) => name);
  assert.deepEqual(left.filter((name) => name.startsWith(".paddock_")), []);
});

test("a watched program tells that it restarts", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const write = (content: string) => client.call("writeTextFile", { path: "w.ts", content });
  await write("setInterval(() => {}, 1000)");
  const { pid, watcherId } = await client.call("spawnDeno", {
    entrypoint: "w.ts",
    watch: true,
    stdout: "null",
    stderr: "null",
  });
  assert.ok(watcherId);
  const deadline = Date.now() + 15_000;
  for (let round = 0; client.notifications.length === 0 && Date.now() < deadline; round++) {
    await new Promise((resolve) => setTimeout(resolve, 700));
    await write(`setInterval(() => {}, ${2000 + round})`);
  }
  assert.deepEqual(client.notifications[0], { type: "deno.watcher.restart", watcherId });
  await client.call("processKill", { pid, signal: "SIGKILL" });
});

test("sudo: root, its streams, its end", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const script = await Deno.readTextFile(new URL("guest/sudo", import.meta.url));
  const sudo = `${agent.directory}/sudo`;
  await Deno.writeTextFile(sudo, script.replace("/run/paddock", `${agent.directory}/run`));
  await Deno.chmod(sudo, 0o755);
  const out = async (text: string) => (await client.shell(text.replaceAll("sudo", sudo))).stdout;
  assert.equal(await out("sudo id -u; sudo -u '#1000' id -u 2>&1 | tail -1"), "0\n1000\n");
  assert.equal(await out("echo in | sudo cat"), "in\n");
  assert.equal(await out("sudo sh -c 'exit 7'; echo $?"), "7\n");
  assert.equal(await out("{ sudo echo a; echo b; } > f; cat f"), "a\nb\n");
  assert.equal(await out("printf '1\\n2\\n' | while read x; do sudo echo $x; done"), "1\n2\n");
  assert.equal(
    await out("A=1 sudo -E sh -c 'echo $A$HOME'; sudo B=2 sh -c 'echo $B$HOME'"),
    `1${agent.home}\n2/root\n`,
  );
  assert.equal(await out("sudo no-such-command; echo $?"), "1\n");
  assert.equal(await out("sudo sh -c 'kill -TERM $$'; echo $?"), "143\n");
  assert.equal(await out("touch mine; stat -c %u mine; sudo stat -c %u /root"), "1000\n0\n");
  const { pid } = await client.call("spawn", {
    command: "bash",
    args: ["-c", `${sudo} sleep 63; true`],
    stdout: "null",
    stderr: "null",
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(await out("pgrep -U 0 -fxc 'sleep 63'"), "1\n");
  await client.call("processKill", { pid, signal: "SIGKILL" });
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(await out("pgrep -U 0 -fxc 'sleep 63'"), "0\n");
});

test("a tunnel reaches a server on the loopback address", async (agent) => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const conn = await listener.accept();
    await conn.readable.pipeTo(conn.writable);
  })();
  const tunnel = await Deno.connect({ hostname: "127.0.0.1", port: agent.port });
  const { port } = listener.addr;
  await tunnel.write(new TextEncoder().encode(
    `GET /tunnel?port=${port} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${agent.token}\r\n` +
      "connection: Upgrade\r\nupgrade: paddock-tunnel\r\n\r\nhello",
  ));
  await tunnel.closeWrite();
  const answer = await new Response(tunnel.readable).text();
  assert.match(answer, /^HTTP\/1\.1 101 /);
  assert.ok(answer.endsWith("\r\n\r\nhello"), answer);
  await serving;
  listener.close();
});

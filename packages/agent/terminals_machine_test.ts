import assert from "node:assert/strict";
import { type AgentProcess, startAgentProcess } from "./_agent_process.ts";
import { type Encoding, RpcClient } from "./_rpc_client.ts";

const isRoot = Deno.uid() === 0;
const whySkipped = isRoot ? "" : " (skipped: the agent changes its user, which takes root)";
const MiB = 1024 * 1024;

function test(name: string, work: (agent: AgentProcess) => Promise<void>, env = {}): void {
  Deno.test({
    name: `${name}${whySkipped}`,
    ignore: !isRoot,
    fn: async () => {
      await using agent = await startAgentProcess(env);
      await work(agent);
      assert.ok(agent.alive(), agent.log());
      assert.doesNotMatch(agent.log(), /unhandled|uncaught/i);
    },
  });
}

const encoder = new TextEncoder();
const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function open(
  client: RpcClient,
  command: string,
  args: string[],
  input?: ReadableStream<Uint8Array>,
) {
  const typed = new TransformStream<Uint8Array, Uint8Array>();
  const { pid, outputStreamId } = await client.call("paddock.spawnPty", {
    command,
    args,
    columns: 80,
    rows: 24,
    stdinStreamId: client.hub.openOutbound(input ?? typed.readable),
  });
  const writer = typed.writable.getWriter();
  return {
    pid,
    output: client.hub.acceptInbound(outputStreamId),
    type: (text: string) => writer.write(encoder.encode(text)),
    fail: (reason: Error) => writer.abort(reason),
    close: () => writer.close(),
    ended: () => client.call("processWait", { pid }),
  };
}

async function textOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return await new Response(stream).text();
}

test("a program has a terminal of its own in every encoding", async (agent) => {
  for (const encoding of ["v2", "v3", "rich"] satisfies Encoding[]) {
    await using client = await RpcClient.connect(agent, encoding);
    const script = 'tty; stty size; id -u; ps -o sid= -p $$; read -r line; echo "<$line>"; exit 7';
    const terminal = await open(client, "bash", ["-c", script]);
    await terminal.type("typed grüße\n");
    const shown = (await textOf(terminal.output)).split("\r\n").filter((line) =>
      line !== "typed grüße"
    );
    assert.match(shown[0], /^\/dev\/pts\/\d+$/);
    assert.deepEqual(shown.slice(1, 3), ["24 80", "1000"]);
    assert.equal(Number(shown[3]), terminal.pid, "it leads its session");
    assert.equal(shown[4], "<typed grüße>");
    assert.equal((await terminal.ended()).code, 7);
  }
});

test("a terminal ends with whoever sits at it, in each of three ways", async (agent) => {
  for (const way of ["cancel", "fail", "drop"] as const) {
    const client = await RpcClient.connect(agent);
    const terminal = await open(client, "sleep", ["1000"]);
    if (way === "cancel") await terminal.output.cancel();
    else if (way === "fail") await terminal.fail(new Error("the keyboard is gone"));
    else client.drop();
    await using other = await RpcClient.connect(agent);
    assert.equal((await other.call("processWait", { pid: terminal.pid })).signal, "SIGHUP", way);
    if (way !== "drop") await client[Symbol.asyncDispose]();
  }
});

test("the end of what is typed changes nothing", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const terminal = await open(client, "sh", ["-c", "sleep 0.5; echo still here"]);
  await terminal.close();
  assert.match(await textOf(terminal.output), /still here/);
  assert.equal((await terminal.ended()).code, 0);
});

test("nothing piles up in the agent when one side does not read", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const before = agent.residentBytes();
  const endless = await open(client, "yes", []);
  let pulled = 0;
  const flood = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      pulled += 65536;
      controller.enqueue(new Uint8Array(65536).fill(97));
    },
  }, { highWaterMark: 0 });
  const deaf = await open(client, "sh", ["-c", "stty raw -echo; exec sleep 1000"], flood);
  await delay(1500);
  assert.ok(pulled < 20 * MiB, `${pulled} bytes were taken for a program that reads nothing`);
  assert.ok(agent.residentBytes() - before < 40 * MiB, "the agent is no buffer");
  assert.equal((await agent.health()).ok, true);
  for (const { pid } of [endless, deaf]) {
    await client.call("processKill", { pid, signal: "SIGKILL" });
  }
  await endless.output.cancel();
});

test("terminals are counted, and given back", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const opened = await Promise.all([1, 2, 3].map(() => open(client, "cat", [])));
  await assert.rejects(
    open(client, "cat", []),
    (error: { code?: string; details?: unknown }) => error.code === "TOO_MANY_TERMINALS",
  );
  // The spare REPL has descriptors too, and takes its time to come up.
  while (!(await agent.health()).repl) await delay(20);
  const descriptors = () => [...Deno.readDirSync(`/proc/${agent.pid}/fd`)].length;
  const most = descriptors();
  await opened[0].output.cancel();
  await opened[0].ended();
  for (let i = 0; i < 5; i++) {
    const next = await open(client, "true", []);
    assert.equal(await textOf(next.output), "");
    assert.equal((await next.ended()).code, 0);
  }
  await assert.rejects(open(client, "nonesuch", []), /nonesuch/);
  await open(client, "cat", []);
  // What a terminal held is closed a moment after its program ended; a lost one would stay.
  const end = Date.now() + 5_000;
  while (descriptors() > most && Date.now() < end) await delay(20);
  assert.ok(descriptors() <= most, `${descriptors()} descriptors, ${most} before`);
}, { PADDOCK_AGENT_LIMITS: JSON.stringify({ terminals: 3 }) });

test("sizes that no terminal has are refused; a terminal that is gone has none", async (agent) => {
  await using client = await RpcClient.connect(agent);
  const terminal = await open(client, "cat", []);
  const { pid } = terminal;
  for (const size of [{ columns: 0 }, { rows: 65_536 }, { columns: -1 }, { rows: 1.5 }]) {
    const answer = await client.request("paddock.resizePty", { pid, columns: 1, rows: 1, ...size });
    assert.equal("error" in answer && answer.error?.code, -32602, JSON.stringify(size));
  }
  await client.call("paddock.resizePty", { pid, columns: 65_535, rows: 65_535 });
  await terminal.type("\x04");
  await terminal.ended();
  await client.call("paddock.resizePty", { pid, columns: 10, rows: 10 });
  const plain = await client.call("spawn", {
    command: "sleep",
    args: ["5"],
    stdout: "null",
    stderr: "null",
  });
  await assert.rejects(
    client.call("paddock.resizePty", { pid: plain.pid, columns: 10, rows: 10 }),
    /has no terminal/,
  );
  await assert.rejects(client.call("paddock.resizePty", { pid: 999_999, columns: 10, rows: 10 }));
});

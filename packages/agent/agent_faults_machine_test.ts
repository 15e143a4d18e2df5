import assert from "node:assert/strict";
import fc from "fast-check";
import { methodNames } from "@paddock/protocol";
import { startAgentProcess } from "./_agent_process.ts";
import { RpcClient } from "./_rpc_client.ts";

const isRoot = Deno.uid() === 0;
const whySkipped = isRoot ? "" : " (skipped: the agent changes its user, which takes root)";

Deno.test({
  name: `broken messages are answered with their code, and the connection lives${whySkipped}`,
  ignore: !isRoot,
  fn: async () => {
    await using agent = await startAgentProcess();
    for (const encoding of ["v3", "rich"] as const) {
      await using client = await RpcClient.connect(agent, encoding);
      const refused = async (text: string, code: number) => {
        client.send(text);
        const answer = await client.unclaimed() as { error?: { code: number } };
        assert.equal(answer.error?.code, code, text);
      };
      await refused("{", -32700);
      await refused("[]", -32600);
      await refused(`[{"jsonrpc":"2.0","id":900,"method":"envToObject"}]`, -32600);
      await refused(`{"id":901,"method":"envToObject"}`, -32600);
      await refused(`{"jsonrpc":"2.0","id":902,"method":"noSuchMethod"}`, -32601);
      await refused(`{"jsonrpc":"2.0","id":903,"method":"__proto__"}`, -32601);
      await refused(`{"jsonrpc":"2.0","id":904,"method":"stat","params":{}}`, -32602);
      await refused(
        `{"jsonrpc":"2.0","id":905,"method":"stat","params":{"path":"/","x":1}}`,
        -32602,
      );
      client.send("ping");
      assert.deepEqual(await client.unclaimed(), { jsonrpc: "2.0", method: "pong" });
      assert.equal((await client.call("stat", { path: "/" })).isDirectory, true);
    }
  },
});

Deno.test({
  name: `limits are kept and told${whySkipped}`,
  ignore: !isRoot,
  fn: async () => {
    const limits = {
      messageBytes: 100_000,
      inlineFileBytes: 50_000,
      openFiles: 2,
      repls: 1,
      processes: 3,
    };
    await using agent = await startAgentProcess({ PADDOCK_AGENT_LIMITS: JSON.stringify(limits) });
    const large = await RpcClient.connect(agent);
    large.send("x".repeat(100_001));
    assert.equal(await large.closed, 1009);
    await using client = await RpcClient.connect(agent);
    const code = (wanted: string) => (error: { code?: string }) => error.code === wanted;
    await client.call("writeFile", { path: "f", content: new Uint8Array(60_000) });
    await assert.rejects(client.call("readFile", { path: "f" }), code("FILE_TOO_LARGE"));
    await assert.rejects(client.call("readFile", { path: "/dev/zero" }), code("FILE_TOO_LARGE"));
    for (let i = 0; i < 2; i++) await client.call("open", { path: "f" });
    await assert.rejects(client.call("open", { path: "f" }), code("TOO_MANY_FILES"));
    await client.repl();
    await assert.rejects(client.repl(), code("TOO_MANY_REPLS"));
    const sleep = () =>
      client.call("spawn", { command: "sleep", args: ["9"], stdout: "null", stderr: "null" });
    await sleep();
    await sleep();
    await assert.rejects(sleep(), code("TOO_MANY_PROCESSES"));
  },
});

Deno.test({
  name: `clients that vanish leave the agent and their processes alone${whySkipped}`,
  ignore: !isRoot,
  fn: async () => {
    await using agent = await startAgentProcess();
    const before = agent.residentBytes();
    for (let round = 0; round < 15; round++) {
      const client = await RpcClient.connect(agent, round % 2 ? "rich" : "v3");
      await client.call("open", { path: "/etc/passwd" });
      await client.call("spawn", {
        command: "sh",
        args: ["-c", `head -c 3000000 /dev/zero; echo ${round} >> done`],
        stdout: "piped",
        stderr: "piped",
        stdinStreamId: client.hub.openOutbound(new ReadableStream()),
      });
      client.hub.openOutbound(new Blob([new Uint8Array(100_000)]).stream());
      void client.call("denoReplEval", {
        pid: await client.repl(),
        code: "await new Promise(() => {})",
      })
        .catch(() => {});
      client.drop();
    }
    await using client = await RpcClient.connect(agent);
    const deadline = Date.now() + 10_000;
    let lines = 0;
    while (lines < 15 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      lines = Number((await client.shell("cat done 2>/dev/null | wc -l")).stdout);
    }
    assert.equal(lines, 15, "output that nobody reads any more holds nobody up");
    const grown = agent.residentBytes() - before;
    assert.ok(grown < 64 * 1024 * 1024, `grown by ${grown} bytes`);
    assert.ok(agent.alive());
    assert.doesNotMatch(agent.log(), /unhandled/);
  },
});

Deno.test({
  name: `mutated messages leave the agent alive and its memory flat${whySkipped}`,
  ignore: !isRoot,
  fn: async () => {
    // Nothing that runs programs: what those do would be the mutant's doing, not the agent's.
    const methods = methodNames.filter((name) => !/^(?:spawn|remove|fetch)/.test(name));
    const value = fc.oneof(
      { maxDepth: 3 },
      fc.jsonValue(),
      fc.constantFrom("/dev/null", "", "a\0b", -1, 2 ** 53, "NaN", null, "../..", "\ud800"),
    );
    const message = fc.record({
      jsonrpc: fc.oneof(fc.constant("2.0"), value),
      id: fc.oneof(fc.nat(), value),
      method: fc.oneof(
        fc.constantFrom(...methods),
        fc.constantFrom("$sandbox.stream.start", "$sandbox.stream.enqueue", "$sandbox.stream.end"),
        value,
      ),
      params: fc.oneof(
        value,
        fc.dictionary(
          fc.constantFrom(
            "path",
            "fileHandleId",
            "pid",
            "streamId",
            "data",
            "length",
            "options",
            "key",
          ),
          value,
        ),
      ),
    }, { requiredKeys: [] });
    const text = fc.oneof(
      { weight: 5, arbitrary: message.map((made) => JSON.stringify(made)) },
      fc.tuple(message, fc.nat(), fc.string({ maxLength: 3 })).map(([made, at, put]) => {
        const whole = JSON.stringify(made);
        const cut = at % (whole.length + 1);
        return whole.slice(0, cut) + put + whole.slice(cut + 1);
      }),
    );
    const binary = fc.uint8Array({ maxLength: 64 });
    await using agent = await startAgentProcess();
    for (const encoding of ["v3", "rich", "v2"] as const) {
      const client = await RpcClient.connect(agent, encoding);
      const samples = fc.sample(fc.oneof({ weight: 9, arbitrary: text }, binary), {
        numRuns: 1200,
        seed: 42,
      });
      const before = agent.residentBytes();
      for (const sample of samples) {
        client.send(typeof sample === "string" ? inEncoding(client, sample) : sample);
      }
      client.send("ping");
      const { home } = agent;
      assert.equal(await client.call("realPath", { path: "." }), home, encoding);
      const grown = agent.residentBytes() - before;
      assert.ok(grown < 64 * 1024 * 1024, `grown by ${grown} bytes`);
      await client[Symbol.asyncDispose]();
    }
    assert.ok(agent.alive());
    assert.doesNotMatch(agent.log(), /unhandled/);
  },
});

/** JSON as the client's encoding has it; what is no JSON as it is. */
function inEncoding({ codec }: RpcClient, text: string): string {
  if (codec.name !== "devalue") return text;
  try {
    return codec.encodeMessage(JSON.parse(text));
  } catch {
    return text;
  }
}

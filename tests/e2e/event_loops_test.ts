import assert from "node:assert/strict";
import { newSandboxId } from "@paddock/protocol";
import { ensureImage } from "../../images/build_image.ts";
import { sandboxSpec, startBench } from "../../packages/engine/testing/engine_bench.ts";
import { guestShell } from "../../packages/engine/testing/guest_shell.ts";
import { makePrivateNetwork } from "../security/private_network.ts";

const MiB = 1024 * 1024;

/** Each holds a connection to another machine and serves HTTP: by the event loops of libuv and of tokio. */
const servers = {
  8001: {
    run: "node server.cjs",
    file: "server.cjs",
    source: (host: string, port: number) =>
      `const connection = require("net").connect(${port}, "${host}", () => console.log("connected"));
      connection.on("error", (error) => console.log("lost", error.code));
      let visits = 0;
      require("http").createServer((_, answer) => answer.end("visit " + ++visits)).listen(8001);`,
  },
  8002: {
    run: "deno run -A server.ts",
    file: "server.ts",
    source: (hostname: string, port: number) =>
      `const connection = await Deno.connect({ hostname: "${hostname}", port: ${port} });
      console.log("connected");
      connection.read(new Uint8Array(1)).catch((error) => console.log("lost", error.name));
      let visits = 0;
      Deno.serve({ port: 8002 }, () => new Response("visit " + ++visits));`,
  },
};

Deno.test("programs with connections to elsewhere go on when their machine is restored", async () => {
  await using elsewhere = await makePrivateNetwork();
  const { addresses: [address], port } = elsewhere;
  const { digest, rootfs, manifest } = await ensureImage({
    dataDir: "/var/lib/paddock",
    trust: "host",
  });
  await using bench = await startBench({
    image: { digest, rootfs, env: manifest.env },
    network: { allowPrivate: [`${address}:${port}`] },
  });
  const { engine } = bench;
  const soon = () => AbortSignal.timeout(60_000);
  const sandbox = await engine.create(sandboxSpec({ memoryBytes: 512 * MiB }), soon());
  for (const { run, file, source } of Object.values(servers)) {
    const code = source(address, port).replaceAll("'", "'\\''");
    await guestShell(
      sandbox,
      `cd && printf %s '${code}' > ${file} && (${run} > ${file}.log 2>&1 &)`,
    );
  }
  const say =
    `for i in $(seq 100); do [ $(cat ~/*.log | grep -c connected) = 2 ] && break; sleep 0.2; done
    cat ~/*.log`;
  assert.equal((await guestShell(sandbox, say)).match(/connected/g)?.length, 2);
  const visit = async (in_: typeof sandbox) =>
    (await guestShell(
      in_,
      Object.keys(servers).map((at) => `curl -s -m 10 http://127.0.0.1:${at}/; echo`).join("\n"),
    )).trim();
  assert.equal(await visit(sandbox), "visit 1\nvisit 1");
  const [copy] = await engine.fork(sandbox.spec.id, {
    ...{ count: 1, stopAt: sandbox.stopAt, labels: {} },
    newId: () => newSandboxId("ord"),
  }, soon());
  assert.equal(await visit(copy), "visit 2\nvisit 2");
  assert.equal(await visit(sandbox), "visit 2\nvisit 2");
  await sandbox.pause(soon());
  await sandbox.resume(soon());
  assert.equal(await visit(sandbox), "visit 3\nvisit 3");
  // Those connections are no more, and their programs were told.
  const told = await guestShell(sandbox, "cat ~/*.log");
  assert.equal(told.match(/lost/g)?.length, 2, told);
});

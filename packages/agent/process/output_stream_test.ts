import assert from "node:assert/strict";
import { PaddockError } from "@paddock/protocol";
import { outputStream } from "./output_stream.ts";

const shell = (script: string) => {
  const child = new Deno.Command("sh", { args: ["-c", script], stdout: "piped", stdin: "null" })
    .spawn();
  return { child, output: outputStream(child.stdout, child.status) };
};

Deno.test("all of the output, by either kind of reader", async () => {
  const text = await new Response(shell("seq 1 20000").output).text();
  assert.equal(text.split("\n").length, 20_001);
  const reader = shell("seq 1 20000").output.getReader({ mode: "byob" });
  let bytes = 0;
  while (true) {
    const { value, done } = await reader.read(new Uint8Array(1000));
    if (done) break;
    bytes += value.length;
  }
  assert.equal(bytes, text.length);
});

Deno.test("the stream ends though a child of the process keeps the pipe open", async () => {
  const started = Date.now();
  const { output, child } = shell("sleep 5 & echo hi; echo $!");
  const [word, pid] = (await new Response(output).text()).split("\n");
  assert.equal(word, "hi");
  assert.ok(Date.now() - started < 3_000);
  await child.status;
  Deno.kill(Number(pid), "SIGKILL");
});

Deno.test("what a process wrote is there, however late its pipe says so", async () => {
  const { promise: looked, resolve: look } = Promise.withResolvers<void>();
  const source = new ReadableStream({
    type: "bytes",
    async pull(controller) {
      // Nobody says that there is something: it is only found by looking.
      await looked;
      const text = new TextEncoder().encode("hi");
      const view = controller.byobRequest!.view as Uint8Array;
      view.set(text);
      controller.byobRequest!.respond(text.length);
      controller.close();
    },
  }, { highWaterMark: 0 });
  const output = outputStream(source, Promise.resolve(), look);
  assert.equal(await new Response(output).text(), "hi");
});

Deno.test("a lost connection holds nobody up", async () => {
  const { output, child } = shell("head -c 3000000 /dev/zero; echo done >&2");
  const reader = output.getReader();
  await reader.read();
  await reader.cancel(new PaddockError("CONNECTION_LOST"));
  assert.equal((await child.status).code, 0);
});

Deno.test("a reader that gives up closes the pipe", async () => {
  const { output, child } = shell("cat /dev/zero");
  const reader = output.getReader();
  await reader.read();
  await reader.cancel();
  assert.equal((await child.status).success, false);
});

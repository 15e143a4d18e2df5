import assert from "node:assert/strict";
import { LossyOutput } from "./lossy_output.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("a log without a reader holds nobody up, and keeps its end", async () => {
  const output = new LossyOutput();
  let written = 0;
  const source = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (written++ < 100) controller.enqueue(bytes("x".repeat(10_000)));
      else {
        controller.enqueue(bytes("the end"));
        controller.close();
      }
    },
  });
  await output.drain(source);
  assert.match(output.tail, /the end$/);
  assert(output.tail.length <= 4_000);
  const kept = (await new Response(output.stream).text()).length;
  assert(kept > 100_000 && kept < 400_000, `${kept} bytes are kept`);
});

Deno.test("a log that is read is whole; one whose reader has left goes on", async () => {
  const seen: string[] = [];
  const output = new LossyOutput((tail) => seen.push(tail));
  const text = new Response(output.stream).text();
  await output.drain(ReadableStream.from([bytes("one "), bytes("two")]));
  assert.equal(await text, "one two");
  assert.deepEqual(seen, ["one ", "one two"]);
  const left = new LossyOutput();
  await left.stream.cancel();
  await left.drain(ReadableStream.from([bytes("more")]));
  assert.equal(left.tail, "more");
});

import assert from "node:assert/strict";
import { ReplayableBody } from "./replayable_body.ts";

const text = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => new Response(stream).text();

function parts(...texts: string[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(texts).pipeThrough(new TextEncoderStream());
}

Deno.test("a body is there again, whether it was read, half read or not", async () => {
  const body = new ReplayableBody(parts("one ", "two ", "three"));
  body.stream();
  const half = body.stream().getReader();
  await half.read();
  assert.equal(await text(body.stream()), "one two three");
  assert.equal(await text(body.stream()), "one two three");
  await assert.rejects(half.read(), TypeError);
});

Deno.test("what one stream waits for goes to the next", async () => {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReplayableBody(new ReadableStream({ start: (own) => void (controller = own) }));
  const first = text(body.stream());
  first.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve));
  const second = text(body.stream());
  controller.enqueue(new TextEncoder().encode("all"));
  controller.close();
  assert.equal(await second, "all");
  await assert.rejects(first, TypeError);
});

Deno.test("a long body passes once, whole, and is not kept", async () => {
  const bytes = 5_000_000;
  let left = bytes;
  const body = new ReplayableBody(
    new ReadableStream({
      pull(controller) {
        const chunk = new Uint8Array(Math.min(left, 70_000)).fill(left % 251);
        left -= chunk.length;
        if (chunk.length > 0) controller.enqueue(chunk);
        if (left === 0) controller.close();
      },
    }),
  );
  assert.equal((await new Response(body.stream()).bytes()).length, bytes);
  assert.throws(() => body.stream(), /not sent again/);
});

Deno.test("an end and a failure of the source are those of the body", async () => {
  assert.equal(await text(new ReplayableBody(parts()).stream()), "");
  const failing = new ReadableStream<Uint8Array>({ pull: () => Promise.reject(new Error("lost")) });
  await assert.rejects(text(new ReplayableBody(failing).stream()), /lost/);
});

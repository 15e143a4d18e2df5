import assert from "node:assert/strict";
import { richCodec } from "./json_codec.ts";
import { isNotification } from "./json_rpc.ts";
import { defaultLimits, type LimitValues } from "./limits.ts";
import { StreamHub } from "./stream_hub.ts";

/** Several windows in all. */
const CHUNKS = 80;

/** Every limit by the factor: what an operator may have set on one side alone. */
function scaled(factor: number): LimitValues {
  return Object.fromEntries(
    Object.entries(defaultLimits).map(([name, value]) => [name, Math.ceil(value * factor)]),
  ) as LimitValues;
}

function deliver(hub: StreamHub, data: string | Uint8Array): void {
  if (typeof data !== "string") return void hub.handle(data);
  const message = richCodec.decodeMessage(data);
  assert.ok(isNotification(message) && hub.handle(message));
}

async function transfer(limits: { sender: LimitValues; reader: LimitValues }): Promise<number> {
  const side = (limits: LimitValues, other: () => StreamHub) =>
    new StreamHub({
      mode: "credit",
      codec: richCodec,
      limits,
      send: async (data) => {
        await new Promise((resolve) => setTimeout(resolve, 0));
        deliver(other(), data);
      },
    });
  const sender: StreamHub = side(limits.sender, () => reader);
  const reader: StreamHub = side(limits.reader, () => sender);
  let left = CHUNKS;
  const id = sender.openOutbound(
    new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(new Uint8Array(64 * 1024));
        else controller.close();
      },
    }),
  );
  // The call that names a stream comes after some of the stream itself.
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  const read = new Response(reader.acceptInbound(id) as BodyInit).arrayBuffer();
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => deadline.reject(new Error("the stream hangs")), 5_000);
  try {
    return (await Promise.race([read, deadline.promise])).byteLength;
  } finally {
    clearTimeout(timer);
    sender.close();
    reader.close();
  }
}

for (const factor of [1 / 64, 1 / 4, 1, 4, 64]) {
  Deno.test(`a stream arrives when its reader's limits are ${factor} of its sender's`, async () => {
    const limits = { sender: defaultLimits, reader: scaled(factor) };
    assert.equal(await transfer(limits), CHUNKS * 64 * 1024);
    assert.equal(
      await transfer({ sender: limits.reader, reader: limits.sender }),
      CHUNKS * 64 * 1024,
    );
  });
}

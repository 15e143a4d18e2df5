import assert from "node:assert/strict";
import type { Codec } from "./codec.ts";
import { isNotification } from "./json_rpc.ts";
import type { PaddockError } from "./paddock_error.ts";
import { StreamHub, type StreamHubOptions } from "./stream_hub.ts";

type Mode = StreamHubOptions["mode"];

/** For tests: two hubs with an ordered connection between them that can be paused and cut. */
export function connect(mode: Mode, codec: Codec, options: Partial<StreamHubOptions> = {}) {
  const sent = { a: 0, b: 0 };
  const protocolErrors: PaddockError[] = [];
  const link = (from: "a" | "b", receiver: () => StreamHub) => {
    let last: Promise<void> = Promise.resolve();
    return (data: string | Uint8Array): Promise<void> => {
      const yields = ++sent[from] % 16 === 0;
      last = last.then(async () => {
        // As a socket would, so that a source that is always ready does not keep the thread.
        if (yields) await new Promise((resolve) => setTimeout(resolve, 0));
        deliver(receiver(), codec, data);
      });
      return last;
    };
  };
  const common = {
    mode,
    codec,
    onProtocolError: (error: PaddockError) => protocolErrors.push(error),
    ...options,
  };
  const a: StreamHub = new StreamHub({ ...common, send: link("a", () => b) });
  const b: StreamHub = new StreamHub({ ...common, send: link("b", () => a) });
  return { a, b, sent, protocolErrors };
}

export function deliver(hub: StreamHub, codec: Codec, data: string | Uint8Array): void {
  if (typeof data !== "string") return void hub.handle(data);
  const message = codec.decodeMessage(data);
  assert.ok(isNotification(message));
  assert.ok(hub.handle(message));
}

export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error("it never came true");
}

/** A source that counts what was asked of it, as a byte stream or an ordinary one. */
export function source(chunks: number, chunkBytes: number, kind: "bytes" | "default" = "default") {
  const state = { pulled: 0, cancelled: undefined as unknown };
  const readable = new ReadableStream<Uint8Array>({
    ...(kind === "bytes" ? { type: "bytes" } : {}),
    pull(controller: ReadableStreamDefaultController | ReadableByteStreamController) {
      if (state.pulled === chunks) {
        controller.close();
        if ("byobRequest" in controller) controller.byobRequest?.respond(0);
        return;
      }
      state.pulled++;
      controller.enqueue(new Uint8Array(chunkBytes).fill(state.pulled));
    },
    cancel(reason: unknown) {
      state.cancelled = reason ?? "cancelled";
    },
  } as UnderlyingDefaultSource<Uint8Array>, kind === "bytes" ? undefined : { highWaterMark: 0 });
  return { state, readable };
}

export async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream as BodyInit).arrayBuffer());
}

export async function accept(
  hub: StreamHub,
  id: number,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  await until(() => hub.openStreams.inbound > 0);
  return hub.acceptInbound(id);
}

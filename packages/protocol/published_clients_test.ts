import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { sandboxServiceSchema as schema10 } from "../../node_modules/deno_sandbox_0_10/esm/schema.js";
import {
  errorSchema,
  sandboxServiceSchema as schema13,
  streamCancelSchema,
  streamEnqueueSchema,
  streamErrorSchema,
} from "../../node_modules/deno_sandbox_0_13/esm/schema.js";
import { Deno as shim } from "../../node_modules/deno_sandbox_0_13/esm/_dnt.shims.js";
import { jsonRpcMessageSchema } from "../../node_modules/deno_sandbox_0_2/esm/proto.js";
import {
  errorPlugin,
  errorReviver,
} from "../../node_modules/deno_sandbox_0_2/esm/error_serialization.js";
import { sandboxServiceSchema as schema2 } from "../../node_modules/deno_sandbox_0_2/esm/schema.js";
import { type Sample, samples, withoutUndefined } from "./_method_samples.ts";
import { devalueCodec } from "./devalue_codec.ts";
import { jsonCodec } from "./json_codec.ts";
import {
  errorResponse,
  isNotification,
  isRequest,
  isSuccess,
  type JsonRpcFailure,
  type JsonRpcSuccess,
} from "./json_rpc.ts";
import { type MethodName, methodNames, methods } from "./methods.ts";
import { PaddockError } from "./paddock_error.ts";
import type { Codec } from "./codec.ts";

interface ClientSchema {
  input: { encode(value: unknown): unknown; parse(value: unknown): unknown };
  output: { parse(value: unknown): unknown };
}
type ClientSchemas = Record<string, ClientSchema>;

/** The very devalue that client 0.2 brings along. */
const clientDevalue: {
  stringify(value: unknown, plugins: unknown): string;
  parse(text: string, plugins: unknown): unknown;
} = await import(
  pathToFileURL(
    createRequire(import.meta.resolve("../../node_modules/deno_sandbox_0_2/esm/mod.js"))
      .resolve("devalue"),
  ).href
);

const published = methodNames.filter((name) => !name.startsWith("paddock."));
const all = samples as Record<string, Sample[]>;

/** The request goes through the codec as a whole message, and so does its answer. */
function serve(codec: Codec, method: MethodName, request: string, output: unknown) {
  const message = codec.decodeMessage(request);
  assert.ok(isRequest(message));
  assert.equal(message.method, method);
  const input = codec.decodeParams(method, message.params);
  const answer = codec.encodeMessage({
    jsonrpc: "2.0",
    id: message.id,
    result: codec.encodeResult(method, output as never),
  });
  return { input, answer };
}

for (const [name, schemas] of [["0.10", schema10], ["0.13", schema13]] as const) {
  Deno.test(`client ${name}: every method's parameters and results`, () => {
    const client = schemas as unknown as ClientSchemas;
    assert.deepEqual(Object.keys(client).sort(), [...published].sort());
    for (const method of published) {
      for (const sample of all[method].filter((sample) => "v3" in sample)) {
        const params = client[method].input.encode(sample.v3);
        const request = JSON.stringify({ jsonrpc: "2.0", id: 0, method, params });
        const { input, answer } = serve(jsonCodec, method, request, sample.output);
        assert.deepEqual(withoutUndefined(input), withoutUndefined(sample.decoded), method);
        methods[method].input.parse(input);
        const { result } = JSON.parse(answer) as JsonRpcSuccess;
        const parsed = client[method].output.parse(result);
        const expected = "v3Output" in sample ? sample.v3Output : sample.output;
        const seen = (parsed as { ok: unknown }).ok;
        if (name === "0.10" && sample.since13) {
          const { [sample.since13]: _, ...known } = expected as Record<string, unknown>;
          assert.deepEqual(seen, known, method);
        } else {
          assert.deepEqual(seen, expected, method);
        }
      }
    }
  });
}

Deno.test("client 0.2: every method's parameters and results", () => {
  const client = schema2 as unknown as ClientSchemas;
  const without = ["walk", "expandGlob"];
  assert.deepEqual(
    Object.keys(client).sort(),
    published.filter((name) => !without.includes(name)).sort(),
  );
  for (const method of published) {
    for (const sample of all[method].filter((sample) => "v2" in sample)) {
      const params = client[method].input.parse(sample.v2);
      const request = clientDevalue.stringify(
        { jsonrpc: "2.0", id: 0, method, params },
        errorPlugin,
      );
      const { input, answer } = serve(devalueCodec, method, request, sample.output);
      assert.deepEqual(withoutUndefined(input), withoutUndefined(sample.decoded), method);
      methods[method].input.parse(input);
      const { result } = clientDevalue.parse(answer, errorReviver) as JsonRpcSuccess;
      const parsed = client[method].output.parse(result);
      const expected = "v2Output" in sample ? sample.v2Output : sample.output;
      assert.deepEqual((parsed as { ok: unknown }).ok, expected, method);
    }
  }
});

function nestedError(): Error {
  const cause = Object.assign(new Deno.errors.NotFound("no such file"), { code: "ENOENT" });
  const middle = new TypeError("middle", { cause });
  return new AggregateError([new RangeError("one"), middle], "several", {
    cause: new DOMException("stopped", "AbortError"),
  });
}

Deno.test("client 0.13: errors become the classes they were", () => {
  const { error } = jsonCodec.encodeFailure(nestedError());
  const parsed = errorSchema.parse(JSON.parse(JSON.stringify(error))) as AggregateError;
  assert.ok(parsed instanceof AggregateError);
  assert.equal(parsed.message, "several");
  assert.ok(parsed.cause instanceof DOMException);
  assert.equal(parsed.cause.name, "AbortError");
  const [one, middle] = parsed.errors;
  assert.ok(one instanceof RangeError);
  assert.ok(middle instanceof TypeError);
  assert.ok(middle.cause instanceof shim.errors.NotFound);
  assert.equal((middle.cause as unknown as { code: string }).code, "ENOENT");
  assert.match(String(middle.stack), /^TypeError: middle\n {4}at /);

  class Custom extends Error {
    override name = "Custom";
  }
  const custom = errorSchema.parse(jsonCodec.encodeFailure(new Custom("own")).error) as Error;
  assert.equal(custom.message, "own");
  const failed = schema13.mkdir.output.parse(jsonCodec.encodeFailure("just text") as never);
  assert.ok("error" in failed);
  assert.equal(failed.error.message, "just text");
});

Deno.test("client 0.2: errors become the classes it can rebuild, with code and cause", () => {
  const text = devalueCodec.encodeMessage({
    jsonrpc: "2.0",
    id: 1,
    result: devalueCodec.encodeFailure(nestedError()),
  });
  const { result } = clientDevalue.parse(text, errorReviver) as {
    result: { error: AggregateError };
  };
  const parsed = (schema2.mkdir.output.parse(result as never) as { error: AggregateError }).error;
  assert.ok(parsed instanceof AggregateError);
  assert.equal(parsed.message, "several");
  assert.ok(parsed.cause instanceof DOMException);
  assert.equal(parsed.cause.name, "AbortError");
  const [one, middle] = parsed.errors;
  assert.ok(one instanceof RangeError);
  assert.ok(middle instanceof TypeError);
  const cause = middle.cause as Error & { code: string };
  assert.equal(cause.name, "NotFound");
  assert.equal(cause.code, "ENOENT");
  assert.match(String(cause.stack), /no such file/);
});

Deno.test("client 0.2: an error of the protocol itself reaches the caller", () => {
  const refused = new PaddockError("INVALID_PARAMS", { message: "mkdir: path: wrong" });
  const text = devalueCodec.encodeMessage(errorResponse(4, refused));
  assert.equal((clientDevalue.parse(text, errorReviver) as JsonRpcFailure).error.code, -32602);
  const message = jsonRpcMessageSchema.parse(clientDevalue.parse(text, errorReviver));
  assert.ok("result" in message);
  const parsed = schema2.mkdir.output.parse(message.result);
  assert.ok("error" in parsed && parsed.error instanceof Error);
  assert.equal(parsed.error.message, "mkdir: path: wrong");
});

Deno.test("client 0.2: values of every kind that it can read", () => {
  const pooled = new Uint8Array([9, 9, 1, 2, 3, 9]).subarray(2, 5);
  const sparse = [1, , 3];
  sparse[40] = 4;
  const shared = { x: 1 };
  const value: Record<string, unknown> = {
    date: new Date(0),
    map: new Map<unknown, unknown>([["a", new Set([1n, -0, NaN, Infinity])]]),
    regexp: /a\/b/gi,
    pooled,
    floats: new Float64Array([1.5, -2]).subarray(1),
    url: new URL("https://example.com/a?b"),
    sparse,
    undef: undefined,
    error: new TypeError("inside"),
    boxed: [Object(1), Object("s"), Object(true), Object(5n)],
    twice: [shared, shared],
    nothing: Object.create(null),
    instance: new (class Point {
      x = 1;
      method() {}
    })(),
    fn: () => 1,
    view: new DataView(new Uint8Array([7, 8]).buffer),
  };
  value.self = value;
  const text = devalueCodec.encodeMessage({
    jsonrpc: "2.0",
    id: 1,
    result: devalueCodec.encodeResult("denoReplEval", value),
  });
  const { result } = clientDevalue.parse(text, errorReviver) as {
    // deno-lint-ignore no-explicit-any
    result: { ok: Record<string, any> };
  };
  const { ok } = schema2.denoReplEval.output.parse(result) as typeof result;
  assert.deepEqual(ok.date, value.date);
  assert.deepEqual(ok.map, value.map);
  assert.deepEqual(ok.regexp, value.regexp);
  assert.deepEqual(ok.pooled, new Uint8Array([1, 2, 3]));
  assert.deepEqual(ok.floats, new Float64Array([-2]));
  assert.equal(ok.url.href, "https://example.com/a?b");
  assert.deepEqual(ok.sparse, sparse);
  assert.ok("undef" in ok && ok.undef === undefined);
  assert.ok(ok.error instanceof TypeError);
  assert.deepEqual(ok.boxed, [1, "s", true, 5n]);
  assert.equal(ok.twice[0], ok.twice[1]);
  assert.equal(ok.self, ok);
  assert.deepEqual(ok.instance, { x: 1 });
  assert.ok(!("fn" in ok));
  assert.deepEqual(ok.view, new Uint8Array([7, 8]));
});

Deno.test("client 0.2: bytes that are part of a larger buffer arrive whole", () => {
  const pooled = new Uint8Array([9, 9, 1, 2, 3, 9]).subarray(2, 5);
  const request = clientDevalue.stringify({
    jsonrpc: "2.0",
    id: 0,
    method: "fileWrite",
    params: { fileHandleId: 1, data: pooled },
  }, errorPlugin);
  const message = devalueCodec.decodeMessage(request);
  assert.ok(isRequest(message));
  const { data } = devalueCodec.decodeParams("fileWrite", message.params);
  assert.deepEqual([...data], [1, 2, 3]);
});

Deno.test("published clients read our stream messages, and we read theirs", () => {
  const data = crypto.getRandomValues(new Uint8Array(1000));
  const streamId = 2 ** 44 + 123;
  const ours = JSON.parse(
    jsonCodec.encodeNotification({ type: "stream.enqueue", streamId, data: data.subarray(10) }),
  );
  assert.equal(ours.method, "$sandbox.stream.enqueue");
  const parsed = streamEnqueueSchema.parse(ours.params);
  assert.equal(parsed.streamId, streamId);
  assert.deepEqual(parsed.data, data.slice(10));

  const oursV2 = clientDevalue.parse(
    devalueCodec.encodeNotification({ type: "stream.enqueue", streamId, data: data.subarray(10) }),
    errorReviver,
  );
  assert.deepEqual(oursV2, {
    jsonrpc: "2.0",
    method: "$sandbox.stream.enqueue",
    params: { streamId, data: data.slice(10) },
  });

  const error = new Deno.errors.BrokenPipe("gone");
  const failed = JSON.parse(
    jsonCodec.encodeNotification({ type: "stream.error", streamId, error }),
  );
  assert.ok(streamErrorSchema.parse(failed.params).error instanceof shim.errors.BrokenPipe);
  const cancelled = JSON.parse(
    jsonCodec.encodeNotification({ type: "stream.cancel", streamId, reason: null }),
  );
  assert.equal(streamCancelSchema.parse(cancelled.params).reason, null);

  const theirs = jsonCodec.decodeMessage(JSON.stringify({
    jsonrpc: "2.0",
    method: "$sandbox.stream.cancel",
    params: streamCancelSchema.encode({ streamId, reason: null }),
  }));
  assert.ok(isNotification(theirs));
  assert.deepEqual(jsonCodec.decodeNotification(theirs), {
    type: "stream.cancel",
    streamId,
    reason: null,
  });
  for (const key of ["reason", "cause"]) {
    const message = devalueCodec.decodeMessage(clientDevalue.stringify({
      jsonrpc: "2.0",
      method: "$sandbox.stream.cancel",
      params: { streamId, [key]: new TypeError("enough") },
    }, errorPlugin));
    assert.ok(isNotification(message));
    const notification = devalueCodec.decodeNotification(message);
    assert.ok(notification?.type === "stream.cancel");
    assert.ok(notification.reason instanceof TypeError);
    assert.equal(notification.reason.message, "enough");
  }
});

Deno.test("a result of the published shape is a success message for our client as well", () => {
  const message = jsonCodec.decodeMessage('{"jsonrpc":"2.0","id":"x","result":{"ok":null}}');
  assert.ok(isSuccess(message));
  assert.equal(jsonCodec.decodeResult("mkdir", message.result), undefined);
});

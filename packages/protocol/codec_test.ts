import assert from "node:assert/strict";
import fc from "fast-check";
import type { Codec } from "./codec.ts";
import { devalueCodec } from "./devalue_codec.ts";
import { jsonCodec, richCodec } from "./json_codec.ts";
import { errorResponse, idOfRefused, isFailure, type JsonRpcMessage } from "./json_rpc.ts";
import { toJsonValue } from "./json_value.ts";
import { isMethodName, methodNames, methods } from "./methods.ts";
import { PaddockError } from "./paddock_error.ts";
import { deserializeValue, serializeValue } from "./rich_value.ts";
import { type Sample, samples, withoutUndefined } from "./_method_samples.ts";

const codecs: Codec[] = [jsonCodec, richCodec, devalueCodec];
const anyValue = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withSparseArray: true,
  withNullPrototype: true,
  withBoxedValues: true,
  withObjectString: true,
});

function paddock(thrown: unknown, ...codes: string[]): boolean {
  assert.ok(thrown instanceof PaddockError, String(thrown));
  assert.ok(codes.includes(thrown.code), thrown.code);
  return true;
}

Deno.test("our own methods round-trip in our own encoding", () => {
  const own: Sample[] = [
    { decoded: { path: "/a", abortId: 3 }, output: { streamId: 2 ** 44, size: 5 } },
  ];
  const started = { pid: 7, stdoutStreamId: 2 ** 44, stderrStreamId: null };
  const evaluating: Sample = {
    decoded: { stdout: "piped", stderr: "null", evaluate: { code: "1", ticket: "t" } },
    output: started,
  };
  const all: [string, Sample[]][] = [
    ...Object.entries({ ...samples, spawnDenoRepl: [...samples.spawnDenoRepl, evaluating] }),
    ["paddock.readFileStream", own],
    ["paddock.readTree", [{
      decoded: { path: "/a", abortId: 3 },
      output: { streamId: 2 ** 44 },
    }]],
    ["paddock.writeTree", [{
      decoded: { path: "/a", contentStreamId: 2 ** 44, throughLink: true, abortId: 3 },
      output: { entries: 5 },
    }]],
    [
      "paddock.info",
      [{ decoded: {}, output: { version: "1", sandboxId: "x", region: "ams", memoryBytes: 1 } }],
    ],
    ["paddock.spawnPty", [{
      decoded: { command: "bash", args: ["-l"], columns: 80, rows: 24, stdinStreamId: 2 ** 44 },
      output: { pid: 7, outputStreamId: 2 ** 45 },
    }]],
    ["paddock.evaluated", [{ decoded: { ticket: "t" }, output: [1] }]],
    ["paddock.resizePty", [{ decoded: { pid: 7, columns: 1, rows: 65_535 }, output: undefined }]],
  ];
  assert.deepEqual(all.map(([name]) => name).sort(), [...methodNames].sort());
  for (const codec of codecs) {
    for (const [name, list] of all) {
      assert.ok(isMethodName(name));
      for (const { decoded, output } of list) {
        const request = codec.encodeMessage({
          jsonrpc: "2.0",
          id: 1,
          method: name,
          params: codec.encodeParams(name, decoded as never),
        });
        const { params } = codec.decodeMessage(request) as { params: unknown };
        assert.deepEqual(
          withoutUndefined(codec.decodeParams(name, params)),
          withoutUndefined(decoded),
          `${codec.name} ${name}`,
        );
        const answer = codec.encodeMessage({
          jsonrpc: "2.0",
          id: 1,
          result: codec.encodeResult(name, output as never),
        });
        const { result } = codec.decodeMessage(answer) as { result: unknown };
        const lossy: boolean = codec === jsonCodec &&
          (name === "denoReplEval" || name === "denoReplCall");
        const seen: unknown = codec.decodeResult(name, result);
        assert.deepEqual(seen, lossy ? output ?? null : output, `${codec.name} ${name}`);
      }
    }
  }
});

Deno.test("schemas refuse unknown parameters by name, in every encoding", () => {
  for (const codec of codecs) {
    for (const [name, list] of Object.entries(samples) as [keyof typeof samples, Sample[]][]) {
      const params = codec.encodeParams(name, list[0].decoded as never) as Record<string, unknown>;
      assert.throws(
        () => codec.decodeParams(name, { ...params, surprise: 1 }),
        (error) => {
          paddock(error, "INVALID_PARAMS");
          assert.equal((error as PaddockError).field, "surprise", `${codec.name} ${name}`);
          return true;
        },
      );
    }
  }
});

Deno.test("wrong parameters are named", () => {
  const cases: [Parameters<Codec["decodeParams"]>[0], unknown, string][] = [
    ["spawn", { command: 1, stdout: "piped", stderr: "null" }, "command"],
    ["spawn", { command: "a", stdout: "file", stderr: "null" }, "stdout"],
    ["spawn", { command: "a", stdout: "null", stderr: "null", args: ["a", 2] }, "args.1"],
    ["spawn", { command: "a", stdout: "null", stderr: "null", env: { A: 1 } }, "env.A"],
    ["readFile", {}, "path"],
    ["readFile", { path: "a", abortId: 1.5 }, "abortId"],
    ["writeFile", { path: "a", contentStreamId: -1 }, "contentStreamId"],
    ["writeFile", { path: "a" }, "content"],
    ["exposeHttp", { domain: "a", port: 0 }, "port"],
    ["exposeHttp", { domain: "a", port: 1, pid: 1 }, "pid"],
    ["fileSeek", { fileHandleId: 1, offset: "x", whence: 0 }, "offset"],
    ["fileSeek", { fileHandleId: 1, offset: 1, whence: 3 }, "whence"],
    ["denoReplCall", { pid: 1, fn: "f", args: 3 }, "args"],
  ];
  for (const codec of codecs) {
    for (const [method, params, field] of cases) {
      assert.throws(() => codec.decodeParams(method, params), (error) => {
        paddock(error, "INVALID_PARAMS");
        assert.equal((error as PaddockError).field, field, `${codec.name} ${method}`);
        return true;
      });
    }
    for (const params of [null, 3, "text", [], undefined]) {
      assert.throws(
        () => codec.decodeParams("readFile", params),
        (error) => paddock(error, "INVALID_PARAMS"),
      );
    }
    assert.deepEqual(codec.decodeParams("envToObject", undefined), {});
    for (const method of ["toString", "__proto__", "nope", ""]) {
      assert.throws(
        () => codec.decodeParams(method as "abort", {}),
        (error) => paddock(error, "METHOD_NOT_FOUND"),
      );
    }
  }
  assert.throws(
    () => jsonCodec.decodeParams("fileWrite", { fileHandleId: 1, data: "####" }),
    (error) => paddock(error, "INVALID_PARAMS"),
  );
  assert.throws(
    () => jsonCodec.decodeParams("walk", { path: ".", match: [{ source: "(", flags: "" }] }),
    (error) => paddock(error, "INVALID_PARAMS"),
  );
  assert.throws(
    () => jsonCodec.decodeParams("utime", { path: ".", atime: "yesterday", mtime: "" }),
    (error) => paddock(error, "INVALID_PARAMS"),
  );
});

Deno.test("any parameters either decode to what the schema says or are refused", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...codecs),
      fc.constantFrom(...methodNames),
      fc.oneof(
        anyValue,
        fc.dictionary(
          fc.constantFrom("path", "pid", "streamId", "options", "args", "code", "fileHandleId"),
          anyValue,
        ),
      ),
      (codec, method, params) => {
        let decoded: unknown;
        try {
          decoded = codec.decodeParams(method, params);
        } catch (error) {
          return paddock(error, "INVALID_PARAMS");
        }
        methods[method].input.parse(decoded);
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("mutated messages are refused with the two codes of JSON-RPC, or are messages", () => {
  const texts = codecs.flatMap((codec) =>
    (Object.entries(samples) as [keyof typeof samples, Sample[]][]).map(([name, list]) =>
      [
        codec,
        codec.encodeMessage({
          jsonrpc: "2.0",
          id: 1,
          method: name,
          params: codec.encodeParams(name, list[0].decoded as never),
        }),
      ] as const
    )
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.array(
        fc.tuple(fc.nat(), fc.constantFrom("", "0", "-7", "[", "{", '"', ",", "null", "\0")),
      ),
      ([codec, text], edits) => {
        let mutated: string = text;
        for (const [at, by] of edits) {
          const index = at % (mutated.length + 1);
          mutated = mutated.slice(0, index) + by + mutated.slice(index + 1);
        }
        let message: JsonRpcMessage;
        try {
          message = codec.decodeMessage(mutated);
        } catch (error) {
          paddock(error, "PARSE_ERROR", "INVALID_REQUEST");
          const response = errorResponse(idOfRefused(error), error);
          assert.ok([-32700, -32600].includes(response.error.code));
          codec.encodeMessage(response);
          return;
        }
        if (!("method" in message)) return;
        try {
          codec.decodeParams(message.method as "abort", message.params);
        } catch (error) {
          paddock(error, "INVALID_PARAMS", "METHOD_NOT_FOUND");
        }
      },
    ),
    { numRuns: 10_000 },
  );
});

Deno.test("envelopes: what is refused, and with which id", () => {
  const cases: [string, string, string | number | null][] = [
    ["", "PARSE_ERROR", null],
    ["{", "PARSE_ERROR", null],
    ["null", "INVALID_REQUEST", null],
    ["[]", "INVALID_REQUEST", null],
    ['[{"jsonrpc":"2.0","id":1,"method":"abort"}]', "INVALID_REQUEST", null],
    ['{"id":7,"method":"abort"}', "INVALID_REQUEST", 7],
    ['{"jsonrpc":"1.0","id":"a","method":"abort"}', "INVALID_REQUEST", "a"],
    ['{"jsonrpc":"2.0","id":3}', "INVALID_REQUEST", 3],
    ['{"jsonrpc":"2.0","id":3,"method":4}', "INVALID_REQUEST", 3],
    ['{"jsonrpc":"2.0","id":null,"method":"abort"}', "INVALID_REQUEST", null],
    ['{"jsonrpc":"2.0","id":{},"method":"abort"}', "INVALID_REQUEST", null],
    ['{"jsonrpc":"2.0","id":4,"error":{"code":"x","message":1}}', "INVALID_REQUEST", 4],
  ];
  for (const [text, code, id] of cases) {
    assert.throws(() => jsonCodec.decodeMessage(text), (error) => {
      paddock(error, code);
      assert.equal(idOfRefused(error), id, text);
      return true;
    });
  }
  const failure = jsonCodec.decodeMessage(
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}',
  );
  assert.ok(isFailure(failure));
  const response = errorResponse(
    3,
    new PaddockError("INVALID_PARAMS", { message: "mkdir: path: no", field: "path" }),
  );
  assert.deepEqual(response, {
    jsonrpc: "2.0",
    id: 3,
    error: {
      code: -32602,
      message: "mkdir: path: no",
      data: { code: "INVALID_PARAMS", field: "path" },
    },
  });
  const secret = errorResponse(1, new Error("password in /etc/x"));
  assert.equal(secret.error.code, -32603);
  assert.ok(!JSON.stringify(secret).includes("password"));
});

Deno.test("nesting that would overflow the stack is refused, not fatal", () => {
  const deep = "[".repeat(200_000) + "]".repeat(200_000);
  for (const codec of [jsonCodec, richCodec]) {
    try {
      const params = `{"pid":1,"fn":"f","args":${deep}}`;
      const message = codec.decodeMessage(
        `{"jsonrpc":"2.0","id":1,"method":"denoReplCall","params":${params}}`,
      );
      codec.decodeParams("denoReplCall", (message as { params: unknown }).params);
    } catch (error) {
      paddock(error, "PARSE_ERROR", "INVALID_REQUEST", "INVALID_PARAMS");
    }
  }
  let flat = "[";
  for (let i = 1; i <= 200_000; i++) flat += `[${i}],`;
  assert.throws(
    () => devalueCodec.decodeMessage(`${flat}0]`),
    (error) => paddock(error, "PARSE_ERROR"),
  );
  let list: unknown = null;
  for (let i = 0; i < 100_000; i++) list = { next: list };
  for (const codec of codecs) {
    assert.throws(
      () =>
        codec.encodeMessage({
          jsonrpc: "2.0",
          id: 1,
          result: codec.encodeResult("denoReplEval", list),
        }),
      (error) => paddock(error, "VALUE_NOT_SERIALIZABLE"),
    );
  }
});

Deno.test("hostile devalue text cannot reserve memory or hang", () => {
  const started = performance.now();
  for (
    const text of [
      '[[-7,4294967295,0,1],"x"]',
      '[["Uint8Array",1],4000000000]',
      '[["ArrayBuffer","####"]]',
      '[["Uint8Array",1,0,99999999999],["ArrayBuffer","AAAA"]]',
      '[["Float64Array",1],["ArrayBuffer","AAAA"]]',
      '[["Custom",0]]',
      '[["Error",0]]',
      '[{"__proto__":1},2]',
      '[["Object",0]]',
      "[-1,-2]",
      "-99",
      "5",
      `[["BigInt","${"9".repeat(2_000_000)}"]]`,
      '[["RegExp","("]]',
      '[["URL","nope"]]',
    ]
  ) {
    assert.throws(
      () => devalueCodec.decodeMessage(text),
      (error) => paddock(error, "PARSE_ERROR", "INVALID_REQUEST"),
    );
    try {
      deserializeValue({ devalue: text });
    } catch (error) {
      paddock(error, "UNEXPECTED_ANSWER");
    }
  }
  assert.ok(performance.now() - started < 2000);
});

Deno.test("rich: any value arrives as it was", () => {
  const faithful = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    key: fc.string().filter((key) => key !== "__proto__" && key !== "toString"),
  });
  const send = (value: unknown): unknown => {
    const text = richCodec.encodeMessage({
      jsonrpc: "2.0",
      id: 1,
      result: richCodec.encodeResult("denoReplEval", value),
    });
    const { result } = richCodec.decodeMessage(text) as { result: unknown };
    return richCodec.decodeResult("denoReplEval", result);
  };
  fc.assert(fc.property(faithful, (value) => assert.deepEqual(send(value), value)), {
    numRuns: 1000,
  });
  fc.assert(
    fc.property(fc.array(faithful), (args) => {
      const params = richCodec.encodeParams("denoReplCall", { pid: 1, fn: "f", args });
      const decoded = richCodec.decodeParams("denoReplCall", JSON.parse(JSON.stringify(params)));
      assert.deepEqual(decoded.args, args);
    }),
    { numRuns: 300 },
  );
  const loop: Record<string, unknown> = { list: [] };
  loop.self = loop;
  const back = send(loop) as typeof loop;
  assert.equal(back.self, back);
  const error = send(Object.assign(new Deno.errors.NotFound("gone"), { code: "ENOENT" }));
  assert.ok(error instanceof Deno.errors.NotFound);
  assert.equal((error as unknown as { code: string }).code, "ENOENT");
  assert.equal(
    richCodec.encodeResult("denoReplEval", serializeValue(7n)).ok instanceof Object,
    true,
  );
});

Deno.test("rich: values made to break the sender are sent anyway", () => {
  class Point {
    x = 1;
    #hidden = 2;
    get sum(): number {
      return this.x + this.#hidden;
    }
  }
  const hostile = {
    point: new Point(),
    fn() {},
    symbol: Symbol("s"),
    list: [() => 1, Symbol("t")],
    [Symbol("key")]: 1,
    get thrower(): never {
      throw new Error("no");
    },
    fakeMap: { [Symbol.toStringTag]: "Map" },
    fakeDate: { [Symbol.toStringTag]: "Date" },
    promise: Promise.resolve(1),
    then: 3,
    proxy: new Proxy({}, {
      get() {
        throw new Error("trap");
      },
    }),
    weak: new WeakMap(),
    shared: new Uint8Array(new SharedArrayBuffer(2)),
    request: new Request("http://localhost/"),
    generator: (function* () {})(),
  };
  const seen = deserializeValue(serializeValue(hostile)) as Record<string, unknown>;
  assert.deepEqual(seen.point, { x: 1 });
  assert.ok(!("fn" in seen) && !("symbol" in seen));
  assert.deepEqual(seen.list, [undefined, undefined]);
  assert.equal(seen.thrower, undefined);
  assert.deepEqual(seen.fakeMap, {});
  assert.deepEqual(seen.shared, new Uint8Array(2));
  assert.equal(deserializeValue(serializeValue(() => 1)), undefined);
  for (const codec of codecs) {
    codec.encodeMessage({
      jsonrpc: "2.0",
      id: 1,
      result: codec.encodeResult("denoReplEval", hostile),
    });
  }
});

Deno.test("json: what JSON can carry is carried unchanged", () => {
  // A property of this name is left out on purpose, which the last line holds.
  const carried = fc.jsonValue({ noUnicodeString: false })
    .filter((value) => !JSON.stringify(value).includes('"__proto__":'));
  fc.assert(fc.property(carried, (value) => {
    assert.equal(JSON.stringify(toJsonValue(value)), JSON.stringify(value));
  }));
  assert.equal(JSON.stringify(toJsonValue(JSON.parse('{"__proto__":1,"a":2}'))), '{"a":2}');
});

Deno.test("json: anything else becomes the nearest thing", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const json = toJsonValue(value);
      assert.deepEqual(JSON.parse(JSON.stringify(json)), noMinusZero(json));
    }),
    { numRuns: 1000 },
  );
  assert.deepEqual(
    toJsonValue({
      undef: undefined,
      list: [undefined, NaN, -Infinity, () => 1],
      big: 12n,
      date: new Date(0),
      invalid: new Date(NaN),
      map: new Map([["a", 1]]),
      entries: new Map<unknown, unknown>([[1, new Set([2])]]),
      bytes: new Uint8Array([1, 2]),
      buffer: new Uint8Array([3]).buffer,
      bigs: new BigInt64Array([4n]),
      regexp: /a/g,
      url: new URL("https://a.example/"),
      boxed: Object("s"),
      own: { toJSON: () => "said so" },
    }),
    {
      list: [null, null, null, null],
      big: "12",
      date: "1970-01-01T00:00:00.000Z",
      invalid: null,
      map: { a: 1 },
      entries: [[1, [2]]],
      bytes: [1, 2],
      buffer: [3],
      bigs: ["4"],
      regexp: "/a/g",
      url: "https://a.example/",
      boxed: "s",
      own: "said so",
    },
  );
  assert.equal(toJsonValue(undefined), null);
  const error = toJsonValue(Object.assign(new TypeError("t"), { extra: 1 })) as object;
  assert.deepEqual({ ...error, stack: "" }, {
    name: "TypeError",
    message: "t",
    stack: "",
    extra: 1,
  });
  const loop: unknown[] = [];
  loop.push(loop);
  assert.throws(() => toJsonValue(loop), { code: "VALUE_NOT_SERIALIZABLE" });
  const twice = { a: 1 };
  assert.deepEqual(toJsonValue([twice, twice]), [{ a: 1 }, { a: 1 }]);
  assert.throws(
    () =>
      toJsonValue({
        toJSON() {
          throw new Error("from user code");
        },
      }),
    /from user code/,
  );
});

function noMinusZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

Deno.test("results: failures are thrown as what they were, nonsense is named", () => {
  for (const codec of codecs) {
    const failure = codec.encodeFailure(Object.assign(new Error("x"), { code: "ENOENT" }));
    assert.throws(() => codec.decodeResult("mkdir", failure), { message: "x", code: "ENOENT" });
    for (const nonsense of [undefined, null, 3, {}, { okay: 1 }, { error: null }]) {
      assert.throws(() => codec.decodeResult("mkdir", nonsense), { code: "UNEXPECTED_ANSWER" });
    }
    assert.throws(() => codec.decodeResult("stat", { ok: { size: "big" } }), {
      code: "UNEXPECTED_ANSWER",
    });
    assert.throws(() => codec.encodeResult("stat", {} as never), { code: "INTERNAL_ERROR" });
  }
  const own = richCodec.encodeFailure(new PaddockError("TOO_MANY_REPLS", { message: "at most 4" }));
  assert.throws(() => richCodec.decodeResult("spawnDenoRepl", own), (error) => {
    paddock(error, "TOO_MANY_REPLS");
    assert.equal((error as PaddockError).message, "at most 4");
    return true;
  });
});

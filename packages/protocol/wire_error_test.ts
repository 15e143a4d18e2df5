import assert from "node:assert/strict";
import fc from "fast-check";
import { devalueErrorReducers, devalueErrorRevivers } from "./devalue_error.ts";
import { DENO_ERROR_NAMES, errorClass } from "./error_classes.ts";
import { errorRegistry, isErrorCode } from "./error_registry.ts";
import { PaddockError } from "./paddock_error.ts";
import { fromWireError, toWireError, type WireError } from "./wire_error.ts";
import { parse, stringify } from "devalue";

function throughJson(error: unknown): Error {
  return fromWireError(JSON.parse(JSON.stringify(toWireError(error))));
}

function throughDevalue(error: unknown): Error {
  return parse(stringify(error, devalueErrorReducers()), devalueErrorRevivers);
}

const built: ((message: string) => Error)[] = [
  (message) => new Error(message),
  (message) => new TypeError(message),
  (message) => new ReferenceError(message),
  (message) => new SyntaxError(message),
  (message) => new RangeError(message),
  (message) => new URIError(message),
  (message) => new EvalError(message),
];

for (const [name, through] of [["json", throughJson], ["devalue", throughDevalue]] as const) {
  Deno.test(`${name}: standard errors keep class, message, stack, code and cause`, () => {
    fc.assert(
      fc.property(fc.constantFrom(...built), fc.string(), fc.string(), (make, message, code) => {
        const error = Object.assign(make(message), { code, cause: new RangeError("why") });
        const seen = through(error) as typeof error;
        assert.equal(seen.constructor, error.constructor);
        assert.equal(seen.message, message);
        assert.equal(seen.stack, error.stack);
        assert.equal(seen.code, code);
        assert.ok(seen.cause instanceof RangeError);
      }),
    );
  });

  Deno.test(`${name}: aggregates, suppressed errors and DOMException`, () => {
    const aggregate = through(
      new AggregateError([new TypeError("a"), new Error("b")], "both"),
    ) as AggregateError;
    assert.ok(aggregate instanceof AggregateError);
    assert.deepEqual(aggregate.errors.map((error) => error.message), ["a", "b"]);
    const suppressed = through(new SuppressedError(new Error("e"), new TypeError("s"), "m"));
    assert.ok(suppressed instanceof SuppressedError);
    assert.equal(suppressed.error.message, "e");
    assert.ok(suppressed.suppressed instanceof TypeError);
    const aborted = through(new DOMException("stop", "AbortError"));
    assert.ok(aborted instanceof DOMException);
    assert.equal(aborted.name, "AbortError");
  });

  Deno.test(`${name}: cycles of causes are cut, depth and width are bounded`, () => {
    const a: Error = new Error("a");
    const b = new TypeError("b", { cause: a });
    a.cause = b;
    const seen = through(a);
    assert.equal((seen.cause as Error).message, "b");
    assert.equal((seen.cause as Error).cause, undefined);
    let deep = new Error("0");
    for (let i = 1; i < 1000; i++) deep = new Error(String(i), { cause: deep });
    let depth = 0;
    for (let at: unknown = through(deep); at instanceof Error; at = at.cause) depth++;
    assert.ok(depth > 5 && depth < 20, String(depth));
    const self = new AggregateError([], "self");
    self.errors.push(self, new Error("other"));
    assert.ok(through(self) instanceof AggregateError);
    const wide = new AggregateError(Array.from({ length: 5000 }, () => new Error("x")));
    assert.ok((through(wide) as AggregateError).errors.length <= 100);
  });

  Deno.test(`${name}: errors made to break the sender are sent anyway`, () => {
    const hostile = new Error("m");
    for (const key of ["cause", "stack", "code", "name", "constructor", "errors"]) {
      Object.defineProperty(hostile, key, {
        enumerable: true,
        get() {
          throw new Error("trap");
        },
      });
    }
    assert.equal(through(hostile).message, "m");
    const long = through(new Error("x".repeat(1_000_000)));
    assert.ok(long.message.length <= 64 * 1024);
  });
}

Deno.test("json: Deno's classes by name, here and elsewhere", () => {
  for (const name of DENO_ERROR_NAMES) {
    const native = (Deno.errors as unknown as Record<string, new (m: string) => Error>)[name];
    assert.equal(errorClass(name), native);
    const seen = throughJson(new native("m"));
    assert.ok(seen instanceof native, name);
    assert.equal(seen.name, new native("m").name);
  }
  assert.deepEqual([...DENO_ERROR_NAMES].sort(), Object.keys(Deno.errors).sort());
  assert.equal(errorClass("toString"), undefined);
});

Deno.test("json: a class of the guest's own keeps its name", () => {
  class Custom extends TypeError {
    override name = "Custom";
  }
  const seen = throughJson(new Custom("m"));
  assert.equal(seen.name, "Custom");
  assert.ok(seen instanceof Error);
  assert.match(String(seen.stack), /m\n/);
});

Deno.test("json: thrown values that are no errors become errors that say so", () => {
  assert.equal(throughJson("text").message, "text");
  assert.equal(throughJson(undefined).message, "Uncaught undefined");
  assert.equal(throughJson(3).message, "Uncaught 3");
  assert.equal(throughJson(Object.create(null)).message, "Uncaught value that cannot be shown");
});

Deno.test("json: any answer becomes an error, and any thrown value an error object", () => {
  fc.assert(fc.property(fc.anything(), (value) => {
    assert.ok(fromWireError(value) instanceof Error);
    const wire = toWireError(value);
    assert.deepEqual(JSON.parse(JSON.stringify(wire)), wire);
    assert.equal(typeof wire.message, "string");
  }));
  const keys: (keyof WireError)[] = [
    "constructorName",
    "message",
    "code",
    "stack",
    "cause",
    "errors",
    "name",
    "suppressed",
    "error",
  ];
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom(...keys),
        fc.oneof(
          fc.anything(),
          fc.constantFrom("DOMException", "AggregateError", "PaddockError", "NotFound"),
        ),
      ),
      (wire) => assert.ok(fromWireError(wire) instanceof Error),
    ),
    { numRuns: 2000 },
  );
});

Deno.test("registry: every entry is usable, and PaddockError survives the wire", () => {
  for (const [code, entry] of Object.entries(errorRegistry)) {
    assert.ok(isErrorCode(code));
    assert.match(code, /^[A-Z][A-Z_]+$/);
    assert.ok(entry.status >= 400 && entry.status < 600, code);
    assert.ok(Number.isInteger(entry.rpcCode), code);
    assert.match(entry.message, /^[A-Z].*\.$/, code);
    const seen = throughJson(new PaddockError(code, { message: "m", cause: new Error("c") }));
    assert.ok(seen instanceof PaddockError);
    assert.equal(seen.code, code);
    assert.equal((seen.cause as Error).message, "c");
  }
  assert.equal(isErrorCode("toString"), false);
});

Deno.test("PaddockError: what a caller sees", () => {
  const error = new PaddockError("INVALID_CONFIG", {
    message: "labels: too many",
    field: "labels",
    details: { max: 3 },
  });
  assert.deepEqual(error.toJSON(), {
    code: "INVALID_CONFIG",
    message: "labels: too many",
    field: "labels",
    max: 3,
  });
  assert.equal(error.status, 400);
  const inner = PaddockError.from(new Error("/secret/path"));
  assert.equal(inner.code, "INTERNAL_ERROR");
  assert.ok(!JSON.stringify(inner).includes("secret"));
  assert.equal(PaddockError.from(error), error);
  assert.equal(new PaddockError("INVALID_TOKEN").status, 401);
  assert.equal(new PaddockError("SANDBOX_NOT_FOUND").status, 404);
  assert.equal(new PaddockError("FORBIDDEN").status, 403);
  assert.equal(new PaddockError("NOT_SUPPORTED_YET").status, 501);
});

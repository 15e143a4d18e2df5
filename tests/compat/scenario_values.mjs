import assert from "node:assert/strict";

/** What a value of the guest's is when it arrives, in each encoding. */
export async function javascriptValues({ repl: openRepl, check, isV2 }) {
  const repl = await openRepl({ stdin: "null", stdout: "null", stderr: "null" });
  const value = (code) => repl.eval(code);

  await check("values that JSON has", async () => {
    assert.equal(await value("'t\\u00e9xt ✓ \\u0000'"), "téxt ✓ \u0000");
    assert.equal(await value("1.5"), 1.5);
    assert.equal(await value("true"), true);
    assert.equal(await value("null"), null);
    assert.deepEqual(await value("({ a: [1, { b: 'c' }] })"), { a: [1, { b: "c" }] });
    assert.deepEqual(await value("[]"), []);
    assert.equal(await value("undefined") ?? null, null);
    assert.equal(await value("const declared = 1") ?? null, null);
    assert.equal((await value("'x'.repeat(1_000_000)")).length, 1_000_000);
    assert.deepEqual(await value("class P { x = 1 }; new P()"), { x: 1 });
  });
  await check("arguments of call", async () => {
    const args = ["s", 1.5, false, null, [1], { k: "v" }];
    assert.deepEqual(await repl.call("(...args) => args", ...args), args);
  });
  if (isV2) {
    await check("values that only devalue has", async () => {
      assert.deepEqual(
        await value("new Map([['k', new Set([1])]])"),
        new Map([["k", new Set([1])]]),
      );
      assert.deepEqual(await value("new Date(5)"), new Date(5));
      assert.equal(await value("2n ** 70n"), 2n ** 70n);
      assert.equal(await value("undefined"), undefined);
      assert.ok(Number.isNaN(await value("NaN")));
      assert.ok(Object.is(await value("-0"), -0));
      assert.equal(await value("-Infinity"), -Infinity);
      assert.deepEqual(await value("/a+/gi"), /a+/gi);
      assert.deepEqual(await value("new Uint8Array([1, 255])"), new Uint8Array([1, 255]));
      const ring = await value("const o = { n: 1 }; o.self = o; o");
      assert.equal(ring.self, ring);
      assert.ok(await value("new RangeError('as a value')") instanceof RangeError);
      const back = await repl.call("(a, b) => [a, b]", new Map([[1, 2]]), 7n);
      assert.deepEqual(back, [new Map([[1, 2]]), 7n]);
    });
  } else {
    await check("values that JSON does not have do not break the connection", async () => {
      for (const code of ["2n ** 70n", "NaN", "new Map([[1, 2]])", "Symbol('s')", "() => 1"]) {
        await value(code).catch((error) => assert.ok(error instanceof Error));
      }
      await value("const ring = {}; ring.self = ring; ring")
        .catch((error) => assert.ok(error instanceof Error));
      assert.equal(await value("1"), 1);
    });
  }
  await check("a value that cannot be sent is an error, not a hang", async () => {
    await value("({ get boom() { throw new Error('in a getter') } })")
      .catch((error) => assert.ok(error instanceof Error));
    assert.equal(await value("'alive'"), "alive");
  });
  await repl.close();
}

import assert from "node:assert/strict";
import { toExpression, toJavaScript } from "./to_javascript.ts";

Deno.test("types go, positions stay", () => {
  assert.equal(toJavaScript("const x: number = 1; x"), "const x         = 1; x");
});

Deno.test("an enum becomes JavaScript", () => {
  const code = toJavaScript("enum Color { Red, Green }; Color.Green");
  assert.equal((0, eval)(code), 1);
});

Deno.test("parameter properties become JavaScript", () => {
  const code = toJavaScript("(class { constructor(public a = 7) {} })");
  const made = new ((0, eval)(code))();
  assert.equal(made.a, 7);
});

Deno.test("braces around properties mean an object, around statements a block", () => {
  assert.deepEqual((0, eval)(toJavaScript("{ a: 1, b: [2] }")), { a: 1, b: [2] });
  assert.equal((0, eval)(toJavaScript("{ let q = 3; q }")), 3);
});

Deno.test("what is no code is left to the engine to refuse", () => {
  assert.equal(toJavaScript("let {"), "let {");
  assert.throws(() => (0, eval)(toJavaScript("x y")), SyntaxError);
});

Deno.test("a function's source becomes an expression", () => {
  assert.equal((0, eval)(toExpression("(a: number, b: number) => a + b;"))(1, 2), 3);
  assert.equal((0, eval)(toExpression("function add(a, b) { return a + b }"))(1, 2), 3);
});

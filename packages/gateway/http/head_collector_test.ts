import assert from "node:assert/strict";
import { HeadCollector } from "./head_collector.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

Deno.test("a head is complete at its empty line, however it is cut", () => {
  const text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const step of [1, 2, 5, 1000]) {
    const collector = new HeadCollector(1000);
    for (let at = 0; at < text.length; at += step) {
      const found = collector.push(bytes(text.slice(at, at + step)));
      if (at + step < text.length) assert.equal(found.state, "incomplete");
      else assert.equal(found.state === "complete" && found.text, text.slice(0, -4));
    }
  }
});

Deno.test("what follows a head is kept apart, and the next head starts anew", () => {
  const collector = new HeadCollector(1000);
  const found = collector.push(bytes("a\r\n\r\nbody"));
  assert.equal(found.state === "complete" && String(found.rest), "body");
  assert.ok(collector.empty);
  const next = collector.push(bytes("b\r\n\r\n"));
  assert.equal(next.state === "complete" && next.text, "b");
});

Deno.test("a head is bounded, and a bare line feed is no end of a line", () => {
  const state = (text: string, max = 100) => new HeadCollector(max).push(bytes(text)).state;
  assert.equal(state("x".repeat(101)), "too large");
  assert.equal(state(`${"x".repeat(100)}\r\n\r\n`), "too large");
  assert.equal(state(`${"x".repeat(96)}\r\n\r\n`), "complete");
  assert.equal(state("a\nb\r\n\r\n"), "malformed");
  assert.equal(state("\n"), "malformed");
  const slow = new HeadCollector(100);
  let last = "";
  for (let i = 0; i <= 100 && last !== "too large"; i++) last = slow.push(bytes("x")).state;
  assert.equal(last, "too large");
});

import assert from "node:assert/strict";
import { JsonSplitter } from "./json_stream.ts";

Deno.test("objects are found however the stream is cut", () => {
  const objects = [{ path: 'a{b}"c\\' }, { nested: { x: ["}"] } }, { name: "ü\n" }];
  const text = objects.map((object) => JSON.stringify(object)).join("\n");
  for (let size = 1; size <= text.length; size++) {
    const splitter = new JsonSplitter();
    const found: unknown[] = [];
    for (let at = 0; at < text.length; at += size) {
      found.push(...splitter.push(text.slice(at, at + size)).map((one) => JSON.parse(one)));
    }
    assert.deepEqual(found, objects, `chunks of ${size}`);
  }
});

import assert from "node:assert/strict";
import { ChunkedDecoder } from "./chunked_decoder.ts";

function decode(text: string, step = Infinity) {
  let data = "";
  const decoder = new ChunkedDecoder((chunk) => data += Buffer.from(chunk).toString("latin1"));
  const bytes = Buffer.from(text, "latin1");
  let taken = 0;
  for (let at = 0; at < bytes.length && !decoder.done; at += step) {
    taken += decoder.push(bytes.subarray(at, at + step));
  }
  return { data, rest: text.slice(taken), done: decoder.done, trailers: decoder.trailers };
}

Deno.test("a chunked body is taken apart, however it is cut", () => {
  const text = "4\r\nWiki\r\n6;name=value\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\n\r\nGET / ";
  for (const step of [1, 2, 3, 7, Infinity]) {
    const { data, rest, done, trailers } = decode(text, step);
    assert.equal(data, "Wikipedia in \r\n\r\nchunks.");
    assert.ok(done);
    assert.deepEqual(trailers, []);
    if (step === Infinity) assert.equal(rest, "GET / ", "what follows is not its own");
  }
});

Deno.test("trailers come with the end", () => {
  for (const step of [1, Infinity]) {
    const { trailers } = decode("1\r\na\r\n0\r\nX-Sum: 1\r\nX-Two: 2\r\n\r\n", step);
    assert.deepEqual(trailers?.map(({ key, value }) => [key, value]), [
      ["x-sum", "1"],
      ["x-two", "2"],
    ]);
  }
  assert.equal(decode("1\r\na\r\n0\r\nX-Sum: 1\r\n").done, false);
});

Deno.test("what one server would read and another would not is an error", () => {
  for (
    const text of [
      ...["1\na\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n", "1\r\nab\r\n", "1\r\na0\r\n\r\n"],
      ...["0x1\r\na\r\n", "+1\r\na\r\n", "-1\r\n", " 1\r\na\r\n", "\r\n", "g\r\n", "1 1\r\na"],
      ...["1234567890abc\r\n", "1;\x01\r\na\r\n", "1;a\nb\r\n", ";\r\n"],
      ...["0\r\nX y: z\r\n\r\n", "0\r\n folded\r\n\r\n", "0\r\nX: y\n\r\n"],
      `1;${"x".repeat(300)}`,
      `0\r\n${"X: y\r\n".repeat(4000)}`,
    ]
  ) {
    for (const step of [1, Infinity]) {
      assert.throws(() => decode(text, step), SyntaxError, JSON.stringify(text.slice(0, 40)));
    }
  }
});

import assert from "node:assert/strict";
import { parseResponseHead } from "./response_head.ts";

const parse = (text: string, method = "GET") => parseResponseHead(text, method);

Deno.test("an answer says where its body ends", () => {
  const body = (text: string, method = "GET") => parse(text, method)?.body;
  assert.deepEqual(body("HTTP/1.1 200 OK\r\nContent-Length: 5"), { length: 5 });
  assert.equal(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked"), "chunked");
  assert.equal(body("HTTP/1.1 200 OK"), "close");
  assert.equal(body("HTTP/1.1 200 OK\r\nContent-Length: 5", "HEAD"), "none");
  assert.equal(body("HTTP/1.1 204 No Content\r\nContent-Length: 5"), "none");
  assert.equal(body("HTTP/1.1 304 Not Modified\r\nContent-Length: 5"), "none");
  assert.equal(body("HTTP/1.1 103 Early Hints"), "none");
  assert.equal(parse("HTTP/1.1 200 ")?.reason, "");
  assert.equal(parse("HTTP/1.1 200")?.status, 200);
});

Deno.test("a connection is kept only when the answer leaves no doubt", () => {
  const keep = (text: string) => parse(text)?.keepAlive;
  assert.equal(keep("HTTP/1.1 200 OK\r\nContent-Length: 0"), true);
  assert.equal(keep("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, close"), false);
  assert.equal(keep("HTTP/1.0 200 OK\r\nContent-Length: 0"), false);
  assert.equal(keep("HTTP/1.1 200 OK"), false);
});

Deno.test("what is no answer in HTTP, or leaves open where it ends, is refused", () => {
  for (
    const text of [
      ...[
        "",
        "SSH-2.0-OpenSSH_9.2",
        "HTTP/2 200",
        "HTTP/1.1 20",
        "HTTP/1.1 099 x",
        "HTTP/1.1  200",
      ],
      ...["http/1.1 200 OK", "HTTP/1.1 200 O\x01K", "HTTP/1.1 2000 OK"],
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity",
      "HTTP/1.1 200 OK\r\nContent-Length: five",
      "HTTP/1.1 204 OK\r\nContent-Length: five",
      "HTTP/1.1 200 OK\r\n folded: x",
      "HTTP/1.1 200 OK\r\nx y: z",
      "HTTP/1.1 200 OK\r\nx : z",
      "HTTP/1.1 200 OK\r\nx: a\0b",
      "HTTP/1.1 200 OK\r\nx: a\rb",
    ]
  ) {
    assert.equal(parse(text), undefined, JSON.stringify(text));
  }
});

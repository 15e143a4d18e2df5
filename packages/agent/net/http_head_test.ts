import assert from "node:assert/strict";
import { readRequestHead } from "./http_head.ts";

/** A connection that gives one text after the other. */
function connectionOf(...texts: string[]): Pick<Deno.Conn, "read"> {
  const chunks = texts.map((text) => new TextEncoder().encode(text));
  return {
    read(into) {
      const chunk = chunks.shift();
      if (!chunk) return Promise.resolve(null);
      into.set(chunk);
      return Promise.resolve(chunk.length);
    },
  };
}

Deno.test("a head in one piece, with what follows it", async () => {
  const head = await readRequestHead(
    connectionOf("GET /rpc?x=1 HTTP/1.1\r\nHost: a\r\nX-Thing:  b \r\nx-thing: c\r\n\r\nrest"),
  );
  assert.equal(head?.method, "GET");
  assert.equal(head?.url.pathname, "/rpc");
  assert.equal(head?.url.searchParams.get("x"), "1");
  assert.equal(head?.headers.get("x-thing"), "b, c");
  assert.equal(new TextDecoder().decode(head?.rest), "rest");
});

Deno.test("a head torn anywhere is the same head", async () => {
  const text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (let at = 1; at < text.length; at++) {
    const head = await readRequestHead(connectionOf(text.slice(0, at), text.slice(at)));
    assert.equal(head?.headers.get("host"), "a", `torn at ${at}`);
  }
});

Deno.test("what is no HTTP/1.1 request is none", async () => {
  for (
    const text of [
      "GET / HTTP/1.0\r\n\r\n",
      "hello\r\n\r\n",
      "GET x HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nno colon\r\n\r\n",
      "GET / HTTP/1.1\r\nhalf",
    ]
  ) assert.equal(await readRequestHead(connectionOf(text)), undefined, text);
});

Deno.test("a head without an end is given up on", async () => {
  const endless: Pick<Deno.Conn, "read"> = {
    read: (into) => Promise.resolve(into.fill(65).length),
  };
  assert.equal(await readRequestHead(endless), undefined);
});

import assert from "node:assert/strict";
import type { PaddockError } from "@paddock/protocol";
import { parseRequestHead } from "./request_head.ts";

const head = (...lines: string[]) => lines.join("\r\n");
const refused = (text: string, message?: RegExp) =>
  assert.throws(() => parseRequestHead(text), (error: PaddockError) => {
    assert.equal(error.code, "INVALID_REQUEST", `${JSON.stringify(text)}: ${error.code}`);
    if (message) assert.match(error.message, message);
    return true;
  }, JSON.stringify(text));

Deno.test("a head is read as it was written", () => {
  const request = parseRequestHead(head(
    "POST /a%20b?c=d&e HTTP/1.1",
    "Host: App.Sandbox.test:4443",
    "Content-Length:  12 ",
    "X-Empty:",
    "X-Text: \tcaf\xe9 \t, two",
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
  ));
  assert.equal(request.method, "POST");
  assert.equal(request.target, "/a%20b?c=d&e");
  assert.equal(request.host, "App.Sandbox.test:4443");
  assert.deepEqual(request.body, { length: 12 });
  assert.equal(request.upgrade, "websocket");
  assert.equal(request.close, false);
  assert.deepEqual(request.headers[3], { name: "X-Text", key: "x-text", value: "caf\xe9 \t, two" });
  assert.equal(request.headers[2].value, "");
});

Deno.test("where a body ends has exactly one answer, or the request is refused", () => {
  const post = (...lines: string[]) => head("POST / HTTP/1.1", "Host: a", ...lines);
  assert.equal(parseRequestHead(post()).body, "none");
  assert.equal(parseRequestHead(post("Transfer-Encoding: CHUNKED")).body, "chunked");
  for (
    const lines of [
      ["Content-Length: 1", "Transfer-Encoding: chunked"],
      ["Transfer-Encoding: chunked", "Content-Length: 0"],
      ["Content-Length: 1", "Content-Length: 1"],
      ["Content-Length: 1", "content-length: 2"],
      ["Content-Length: 1, 1"],
      ["Content-Length: +1"],
      ["Content-Length: -1"],
      ["Content-Length: 0x1"],
      ["Content-Length: 1e1"],
      ["Content-Length: 1 1"],
      ["Content-Length:"],
      ["Content-Length: 99999999999999999999"],
      ["Transfer-Encoding: gzip, chunked"],
      ["Transfer-Encoding: chunked, identity"],
      ["Transfer-Encoding: chunked, chunked"],
      ["Transfer-Encoding: identity"],
      ["Transfer-Encoding: xchunked"],
      ["Transfer-Encoding: \x0bchunked"],
      ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
      ["Transfer-Encoding: chunked", "Transfer-encoding: x"],
      ["Transfer-Encoding:"],
      ["Transfer-Encoding : chunked"],
      [" Transfer-Encoding: chunked"],
      ["X: y\r\n Transfer-Encoding: chunked"],
      ["X: y", "\tfolded"],
      ["X: y\nTransfer-Encoding: chunked"],
      ["X: y\rTransfer-Encoding: chunked"],
      ["X: y\0z"],
      ["X\0: y"],
      ["X y: z"],
      [": z"],
      ["no colon"],
      ["Content-Length\xa0: 1"],
    ]
  ) {
    refused(post(...lines));
  }
  refused(head("POST / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked"));
});

Deno.test("a request line has one method, one target and a version we speak", () => {
  for (
    const line of [
      ...["GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET /", "GET / HTTP/1.2", "GET / HTTP/2.0"],
      ...[" GET / HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\t HTTP/1.1", "GET /a b HTTP/1.1"],
      ...["get / HTTP/1.1", "G(T / HTTP/1.1", "GET / http/1.1", "GET / HTTP/1.1\nX: y", ""],
      ...["GET a HTTP/1.1", "GET * HTTP/1.1", "GET /\x00 HTTP/1.1", "GET /\x7f HTTP/1.1"],
      ...["PRI * HTTP/2.0", "GET ?a HTTP/1.1", "GET http:// HTTP/1.1", "GET ftp://a/ HTTP/1.1"],
    ]
  ) {
    refused(head(line, "Host: a"));
  }
  for (const method of ["CONNECT", "TRACE"]) {
    assert.throws(() => parseRequestHead(head(`${method} / HTTP/1.1`, "Host: a")), {
      code: "METHOD_NOT_ALLOWED",
    });
  }
  assert.equal(parseRequestHead(head("OPTIONS * HTTP/1.1", "Host: a")).target, "*");
  assert.equal(parseRequestHead(head("PROPFIND / HTTP/1.1", "Host: a")).method, "PROPFIND");
});

Deno.test("a request names one host, and an absolute target the same", () => {
  const get = (target: string, ...lines: string[]) => head(`GET ${target} HTTP/1.1`, ...lines);
  refused(get("/"), /one host/);
  refused(get("/", "Host:"), /one host/);
  refused(get("/", "Host: a", "Host: a"), /one host/);
  for (const host of ["a b", "a/b", "a@b", "a,b", "a:b", "a:1:2", "a\\b", "é", "a?b", "[::1"]) {
    refused(get("/", `Host: ${host}`), /one host/);
  }
  refused(get("http://b/", "Host: a"), /different hosts/);
  refused(get("https://a:1/", "Host: a"), /different hosts/);
  refused(get("https://a@b/", "Host: b"), /different hosts/);
  refused(get("https://a#b/", "Host: a#b"));
  assert.equal(parseRequestHead(get("https://A/x?y", "Host: a")).target, "/x?y");
  assert.equal(parseRequestHead(get("http://a", "Host: a")).target, "/");
  assert.equal(parseRequestHead(get("http://a?x", "Host: a")).target, "/?x");
});

Deno.test("HTTP/1.0 ends with its answer; nobody switches to HTTP/2 behind our back", () => {
  const close = (version: string, ...lines: string[]) =>
    parseRequestHead(head(`GET / HTTP/${version}`, "Host: a", ...lines)).close;
  assert.equal(close("1.1"), false);
  assert.equal(close("1.1", "Connection: foo, Close"), true);
  assert.equal(close("1.0"), true);
  const upgrade = (...lines: string[]) =>
    parseRequestHead(head("GET / HTTP/1.1", "Host: a", ...lines)).upgrade;
  assert.equal(upgrade("Upgrade: websocket"), undefined, "only when Connection says so");
  assert.equal(upgrade("Connection: Upgrade", "Upgrade: h2c"), undefined);
  assert.equal(upgrade("Connection: Upgrade", "Upgrade: websocket, H2C"), undefined);
  assert.equal(upgrade("Connection: Upgrade", "Upgrade:"), undefined);
  refused(head("GET / HTTP/1.1", "Host: a", "Connection: upgrade", "Upgrade: a", "Upgrade: b"));
});

import assert from "node:assert/strict";
import { redirected, type Step } from "./redirects.ts";

function after(method: string, status: number, location: string | null = "/b") {
  const step: Step = {
    url: new URL("http://one.example/a"),
    method,
    headers: new Headers({ authorization: "secret", "content-type": "text/plain", accept: "x" }),
    withBody: method !== "GET",
  };
  const next = redirected(
    step,
    new Response(null, { status, headers: location === null ? {} : { location } }),
  );
  return next && [next.method, next.url.href, next.withBody, Object.fromEntries(next.headers)];
}

const all = { authorization: "secret", "content-type": "text/plain", accept: "x" };
const bodiless = { authorization: "secret", accept: "x" };

Deno.test("what a redirect makes of method and body", () => {
  const there = "http://one.example/b";
  for (const status of [301, 302]) {
    assert.deepEqual(after("POST", status), ["GET", there, false, bodiless]);
    assert.deepEqual(after("PUT", status), ["PUT", there, true, all]);
    assert.deepEqual(after("HEAD", status), ["HEAD", there, true, all]);
  }
  assert.deepEqual(after("PUT", 303), ["GET", there, false, bodiless]);
  assert.deepEqual(after("HEAD", 303), ["HEAD", there, true, all]);
  for (const status of [307, 308]) {
    assert.deepEqual(after("POST", status), ["POST", there, true, all]);
  }
});

Deno.test("what is no redirect", () => {
  assert.equal(after("GET", 304), undefined);
  assert.equal(after("GET", 302, null), undefined);
  assert.equal(after("GET", 200), undefined);
});

Deno.test("another server is not told what was for the first; other protocols are refused", () => {
  assert.deepEqual(after("POST", 307, "https://one.example/"), [
    "POST",
    "https://one.example/",
    true,
    { "content-type": "text/plain", accept: "x" },
  ]);
  assert.throws(() => after("GET", 302, "file:///etc/passwd"), TypeError);
  assert.throws(() => after("GET", 302, "http://[broken"), TypeError);
});

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { PaddockError } from "@paddock/protocol";
import type { Exposure } from "../exposures.ts";
import { admit } from "./access.ts";
import { field } from "./header_fields.ts";
import { signLink, verifyLink } from "./signed_link.ts";
import type { VisitRequest } from "./visit.ts";

const key = new Uint8Array(32).fill(1);
const now = 1_700_000_000_000;
const TOKEN = "correct-token";

function exposure(more: Partial<Exposure> = {}): Exposure {
  const accessHash = createHash("sha256").update(TOKEN).digest("hex");
  return {
    ...{ name: "app", kind: "http", sandboxId: "sbx_1", organizationId: "org" },
    ...{ access: "protected", accessHash, createdAt: 5 },
    ...more,
  };
}

function request(target: string, headers: Record<string, string> = {}, method = "GET") {
  const fields = Object.entries(headers).map(([name, value]) => field(name, value));
  return {
    ...{ method, target, host: "app.sandbox.test:4443", headers: fields, body: "none" },
    ...{ upgrade: undefined, servername: undefined, remoteAddress: "127.0.0.1" },
  } satisfies VisitRequest;
}

const enter = (asked: VisitRequest, to = exposure(), at = now) => admit(asked, to, key, at);
const refused = (asked: VisitRequest, code: string, to = exposure(), at = now) =>
  assert.throws(() => enter(asked, to, at), (error: PaddockError) => {
    assert.equal(error.code, code, asked.target);
    return true;
  });
const seen = ({ target, headers }: VisitRequest) =>
  JSON.stringify([target, headers.map(({ key, value }) => [key, value])]);
const linkTo = (to: Exposure, expiresAt = now + 60_000) => signLink(to, expiresAt, key);

Deno.test("a header with the token opens the door, and the guest does not see it", () => {
  const { request: passed, redirect } = enter(
    request("/a?b=c", { "X-Paddock-Access": TOKEN, Authorization: "Bearer app" }),
  );
  assert.equal(redirect, undefined);
  assert.equal(seen(passed), `["/a?b=c",[["authorization","Bearer app"]]]`);
  refused(request("/"), "ACCESS_TOKEN_NEEDED");
  refused(request("/", { authorization: `Bearer ${TOKEN}` }), "ACCESS_TOKEN_NEEDED");
  for (const wrong of ["", "x", `${TOKEN}x`, TOKEN.toUpperCase(), exposure().accessHash!]) {
    refused(request("/", { "x-paddock-access": wrong }), "ACCESS_DENIED");
  }
  refused(
    request("/", { "x-paddock-access": TOKEN }),
    "ACCESS_DENIED",
    exposure({ accessHash: null }),
  );
});

Deno.test("a link gives a cookie and the clean address; the cookie opens the door until the link ends", () => {
  const to = exposure();
  const { redirect } = enter(request(`/a//b?x=%2F&paddock_link=${linkTo(to)}&y=`));
  assert.equal(redirect?.location, "https://app.sandbox.test:4443/a//b?x=%2F&y=");
  const [, cookie] = redirect!.setCookie.match(
    /^(__Host-paddock_access=[^;]+); Path=\/; Max-Age=60; HttpOnly; Secure; SameSite=Lax$/,
  )!;
  const { request: passed } = enter(request("/", { cookie: `a=1; ${cookie}; b=2` }));
  assert.equal(seen(passed), `["/",[["cookie","a=1; b=2"]]]`);
  assert.equal(seen(enter(request("/", { cookie })).request), `["/",[]]`);
  refused(request("/", { cookie }), "ACCESS_TOKEN_NEEDED", to, now + 60_000);
  refused(request("/", { cookie: `${cookie}x` }), "ACCESS_TOKEN_NEEDED");
});

Deno.test("the token as a parameter does the same; where nothing can be redirected it lets in once", () => {
  const { redirect } = enter(request(`/?paddock_access=${TOKEN}`));
  assert.equal(redirect?.location, "https://app.sandbox.test:4443/");
  const posted = enter(request(`/x?paddock_access=${TOKEN}&a`, {}, "POST"));
  assert.equal(posted.redirect, undefined);
  assert.equal(posted.request.target, "/x?a");
  refused(request("/?paddock_access=wrong"), "ACCESS_DENIED");
  refused(request("/?paddock_access"), "ACCESS_DENIED");
  const evil = enter(request(`//evil.test/?paddock_access=${TOKEN}`)).redirect?.location;
  assert.equal(evil, "https://app.sandbox.test:4443//evil.test/", "the redirect stays here");
});

Deno.test("a link that is stale, altered, or of another exposure opens nothing", () => {
  const to = exposure();
  const link = linkTo(to);
  assert.equal(verifyLink(to, link, key, now), now + 60_000);
  const [expiry, mac] = link.split(".");
  const wrong = [
    linkTo(to, now),
    linkTo(to, now - 1),
    `${Number(expiry) + 1}.${mac}`,
    `0${expiry}.${mac}`,
    `${expiry}.${mac.slice(0, -1)}${mac.endsWith("A") ? "E" : "A"}`,
    `${expiry}.${mac}x`,
    `${expiry}.`,
    `.${mac}`,
    expiry,
    "",
    `${expiry}.${"A".repeat(43)}`,
    signLink(to, now + 60_000, new Uint8Array(32)),
    signLink(to, now + 60_000, key, "cookie"),
    linkTo(exposure({ name: "other" })),
    linkTo(exposure({ sandboxId: "sbx_2" })),
    linkTo(exposure({ createdAt: 6 })),
    linkTo(exposure({ accessHash: "ab".repeat(32) })),
  ];
  for (const value of wrong) {
    assert.equal(verifyLink(to, value, key, now), undefined, value);
    refused(request(`/?paddock_link=${value}`), "ACCESS_DENIED");
  }
  refused(request("/", { cookie: `__Host-paddock_access=${link}` }), "ACCESS_TOKEN_NEEDED");
});

Deno.test("a cookie is worth nothing to pages of other sandboxes", () => {
  const { redirect } = enter(request(`/?paddock_access=${TOKEN}`));
  const [cookie] = redirect!.setCookie.split(";");
  const from = (headers: Record<string, string>) => request("/", { cookie, ...headers });
  const own = "https://app.sandbox.test:4443";
  enter(from({ origin: own, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" }));
  enter(from({ "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }));
  enter(from({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }));
  // What a browser let another site set, against the prefix of its name, stands in nobody's way.
  const tossed = { cookie: `__Host-paddock_access=theirs; a=1; ${cookie}` };
  assert.equal(seen(enter(request("/", tossed)).request), `["/",[["cookie","a=1"]]]`);
  const foreign: Record<string, string>[] = [
    { origin: "https://evil.sandbox.test:4443" },
    { origin: "null" },
    { origin: own.replace(":4443", "") },
    { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" },
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "websocket" },
  ];
  for (const headers of foreign) refused(from(headers), "ACCESS_TOKEN_NEEDED");
});

Deno.test("a public exposure asks for nothing, keeps its parameters, and hides our cookie", () => {
  const { request: passed } = enter(
    request("/?paddock_link=1&a", {
      cookie: "__Host-paddock_access=x; a=1",
      "x-paddock-access": "y",
    }),
    exposure({ access: "public", accessHash: null }),
  );
  assert.equal(seen(passed), `["/?paddock_link=1&a",[["cookie","a=1"]]]`);
});

import assert from "node:assert/strict";
import { labelBelow, parseBaseDomain, withPort } from "./domains.ts";

Deno.test("a base domain may carry the public port", () => {
  assert.deepEqual(parseBaseDomain("sandbox.localhost"), {
    host: "sandbox.localhost",
    port: undefined,
  });
  assert.deepEqual(parseBaseDomain("Preview.example.com:443"), {
    host: "preview.example.com",
    port: 443,
  });
  assert.equal(withPort("a.b", 443, 443), "a.b");
  assert.equal(withPort("a.b", 4443, 443), "a.b:4443");
});

Deno.test("a label is what stands right before the base domain", () => {
  const label = (domain: string) => labelBelow("sandbox.localhost", domain);
  assert.equal(label("shop.sandbox.localhost"), "shop");
  assert.equal(label("SHOP.Sandbox.Localhost:4443"), "shop");
  for (
    const other of [
      ...[
        "sandbox.localhost",
        ".sandbox.localhost",
        "a.b.sandbox.localhost",
        "shopsandbox.localhost",
      ],
      ...["shop.sandbox.localhost.evil.org", "", "shop", "sh/op.sandbox.localhost", "x.localhost"],
    ]
  ) {
    assert.equal(label(other), undefined, other);
  }
});

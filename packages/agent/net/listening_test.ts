import assert from "node:assert/strict";
import { hostnameOf } from "./listening.ts";

Deno.test("addresses of the kernel's tables", () => {
  assert.equal(hostnameOf("0100007F"), "127.0.0.1");
  assert.equal(hostnameOf("00000000"), "127.0.0.1");
  assert.equal(hostnameOf("0200C90A"), "10.201.0.2");
  assert.equal(hostnameOf("00000000000000000000000000000000"), "127.0.0.1");
  assert.equal(hostnameOf("00000000000000000000000001000000"), "[0:0:0:0:0:0:0:1]");
  assert.equal(hostnameOf("0000000000000000FFFF00000200C90A"), "10.201.0.2");
  assert.equal(hostnameOf("B80D0120000000000000000001000000"), "[2001:db8:0:0:0:0:0:1]");
});

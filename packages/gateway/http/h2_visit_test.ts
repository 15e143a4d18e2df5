import assert from "node:assert/strict";
import { readH2Request } from "./h2_visit.ts";

const connection = { servername: "app.sandbox.test", remoteAddress: "192.0.2.1" };
const start = [
  ":method",
  "GET",
  ":scheme",
  "https",
  ":path",
  "/",
  ":authority",
  "app.sandbox.test",
];

Deno.test("a head is as large as it is once unpacked", () => {
  const value = "z".repeat(3_900);
  const heads = (times: number) => [
    ...start,
    ...Array.from({ length: times }, () => ["x-same", value]).flat(),
  ];
  assert.equal(readH2Request(heads(10), true, connection, 64 * 1024).headers.length, 10);
  assert.throws(() => readH2Request(heads(200), true, connection, 64 * 1024), {
    code: "HEAD_TOO_LARGE",
  });
});

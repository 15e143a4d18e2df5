import assert from "node:assert/strict";
import {
  collectPairs,
  parseCopyPath,
  parseDurationArgument,
  parseGatewayListen,
  parseListen,
  parseMemory,
  parsePort,
} from "./parse_values.ts";

Deno.test("pairs are collected, the last of a key wins, values may hold =", () => {
  const collect = collectPairs("label");
  assert.deepEqual(collect("a=2=3", collect("b=", collect("a=1"))), { a: "2=3", b: "" });
  assert.deepEqual(collect("bare"), { bare: "" });
  assert.throws(() => collect("=x"), /expected KEY=VALUE/);
});

Deno.test("a bare variable takes its local value, and one that is not set is refused", () => {
  Deno.env.set("PADDOCK_CLI_TEST", "here");
  try {
    assert.deepEqual(collectPairs("env")("PADDOCK_CLI_TEST"), { PADDOCK_CLI_TEST: "here" });
  } finally {
    Deno.env.delete("PADDOCK_CLI_TEST");
  }
  assert.throws(() => collectPairs("env")("PADDOCK_CLI_TEST"), /not set here/);
});

Deno.test("memory takes binary and decimal units", () => {
  assert.equal(parseMemory("512MiB"), 536_870_912);
  assert.equal(parseMemory("512m"), 536_870_912);
  assert.equal(parseMemory("1.5 GiB"), 1_610_612_736);
  assert.equal(parseMemory("800MB"), 800_000_000);
  assert.equal(parseMemory("134217728"), 134_217_728);
  for (const bad of ["", "much", "1TB", "-1", "1 2"]) {
    assert.throws(() => parseMemory(bad), /expected a size/, bad);
  }
});

Deno.test("durations are whole seconds, minutes or hours above zero", () => {
  for (const good of ["90s", "10m", "2h"]) assert.equal(parseDurationArgument(good), good);
  for (const bad of ["0s", "5", "1d", "m", "1.5m", "-5m"]) {
    assert.throws(() => parseDurationArgument(bad), /expected a duration/, bad);
  }
});

Deno.test("listen takes host and port in the usual spellings", () => {
  assert.deepEqual(parseListen("127.0.0.1:0"), { host: "127.0.0.1", port: 0 });
  assert.deepEqual(parseListen("[::1]:4000"), { host: "::1", port: 4000 });
  assert.deepEqual(parseListen(":4000"), { host: "127.0.0.1", port: 4000 });
  assert.deepEqual(parseListen("4000"), { host: "127.0.0.1", port: 4000 });
  for (const bad of ["", "host", "host:", "host:70000", "::1:80", "a:b"]) {
    assert.throws(() => parseListen(bad), /expected HOST:PORT/, bad);
  }
});

Deno.test("a copy path names a sandbox only with a whole id before the colon", () => {
  const id = "sbx_ord_0123456789abcdefghjk";
  assert.deepEqual(parseCopyPath(`${id}:/tmp/a:b`), { kind: "sandbox", id, path: "/tmp/a:b" });
  assert.deepEqual(parseCopyPath(`${id}:`), { kind: "sandbox", id, path: "." });
  assert.deepEqual(parseCopyPath("./a:b"), { kind: "local", path: "./a:b" });
  assert.deepEqual(parseCopyPath("sbx_ord_short:/x"), { kind: "local", path: "sbx_ord_short:/x" });
});

Deno.test("the gateway listens on both loopback addresses unless it is told otherwise", () => {
  assert.deepEqual(parseGatewayListen("4443"), { host: "localhost", port: 4443 });
  assert.deepEqual(parseGatewayListen("0.0.0.0:443"), { host: "0.0.0.0", port: 443 });
  assert.deepEqual(parseListen("4200"), { host: "127.0.0.1", port: 4200 });
});

Deno.test("a port is a number that a server can listen on", () => {
  assert.equal(parsePort("65535"), 65_535);
  for (const wrong of ["0", "65536", "80a", "", "-1", "8.5"]) {
    assert.throws(() => parsePort(wrong), /expected a port from 1 to 65535/, wrong);
  }
});

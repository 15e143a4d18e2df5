import assert from "node:assert/strict";
import fc from "fast-check";
import { defaultLimits, limits } from "./limits.ts";
import { PaddockError } from "./paddock_error.ts";
import { resolveRegion } from "./region.ts";
import { apiErrorSchema, parseExtendRequest } from "./rest.ts";
import { parseDenodeployConfigV2, parseSandboxConfig } from "./sandbox_config.ts";
import { isSandboxId, newSandboxId, regionOfSandboxId } from "./sandbox_id.ts";
import { parseTimeout } from "./timeout.ts";

const now = 1_700_000_000_000;
const minute = 60_000;

function refused(parse: () => unknown, code: string, field?: string): PaddockError {
  let error: unknown;
  try {
    parse();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error instanceof PaddockError, `nothing was refused: ${error}`);
  assert.equal(error.code, code);
  if (field !== undefined) assert.equal(error.field, field);
  assert.ok(apiErrorSchema.safeParse(error.toJSON()).success);
  return error;
}

Deno.test("configuration: what the published clients send", () => {
  assert.deepEqual(parseSandboxConfig({ memory_mb: 1280, volumes: [] }, { now }), {
    stopAt: "session",
    memoryMb: 1280,
    labels: {},
    env: {},
    volumes: [],
    secrets: {},
  });
  const config = parseSandboxConfig({
    stop_at_ms: now + 5 * minute,
    labels: { a: "b" },
    root: { volume: "v" },
    volumes: [{ volume: "v", path: "/data" }],
    allow_net: ["example.com"],
    secrets: { A: { hosts: ["a"], value: "s" } },
  }, { now });
  assert.equal(config.stopAt, now + 5 * minute);
  assert.equal(config.memoryMb, 512);
  assert.deepEqual(config.allowNet, ["example.com"]);
  assert.deepEqual(parseSandboxConfig(undefined, { now }).stopAt, "session");
  const own = { timeout: "30s", region: "ord", env: { A: "1" }, labels: null };
  const ours = parseSandboxConfig(own, { now });
  assert.equal(ours.stopAt, now + 30_000);
  assert.equal(ours.region, "ord");
  assert.deepEqual(ours.env, { A: "1" });
});

Deno.test("configuration: what is wrong is named", () => {
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, ""]));
  const cases: [unknown, string][] = [
    [{ memory: 512 }, "memory"],
    [{ memory_mb: "512" }, "memory_mb"],
    [{ memory_mb: 127 }, "memory_mb"],
    [{ memory_mb: 4097 }, "memory_mb"],
    [{ memory_mb: 512.5 }, "memory_mb"],
    [{ labels: [] }, "labels"],
    [{ labels: { a: 1 } }, "labels.a"],
    [{ labels: many }, "labels"],
    [{ labels: { ["k".repeat(65)]: "" } }, `labels.${"k".repeat(64)}`],
    [{ labels: { a: "ä".repeat(129) } }, "labels.a"],
    [{ labels: { "": "a" } }, "labels."],
    [{ stop_at_ms: "soon" }, "stop_at_ms"],
    [{ stop_at_ms: now - 1 }, "stop_at_ms"],
    [{ timeout: "soon" }, "timeout"],
    [{ timeout: "0s" }, "timeout"],
    [{ timeout: 5 }, "timeout"],
    [{ timeout: "5m", stop_at_ms: now + 1000 }, "timeout"],
    [{ env: { "A=B": "c" } }, "env.A=B"],
    [{ env: { A: "\0" } }, "env.A"],
    [
      { env: Object.fromEntries("ABCD".split("").map((name) => [name, "x".repeat(32_000)])) },
      "env",
    ],
    [{ volumes: [{ volume: "v" }] }, "volumes.0.path"],
    [{ root: { volume: "v", more: 1 } }, "root.more"],
    [{ allow_net: "all" }, "allow_net"],
  ];
  for (const [config, field] of cases) {
    const error = refused(() => parseSandboxConfig(config, { now }), "INVALID_CONFIG", field);
    assert.ok(error.message.length > 10 && error.status === 400);
  }
  for (const config of [3, "x", [], true]) {
    refused(() => parseSandboxConfig(config, { now }), "INVALID_CONFIG");
  }
  const message = refused(() => parseSandboxConfig({ memory_mb: 1 }), "INVALID_CONFIG").message;
  assert.match(message, /between 128 and 4096 MiB/);
  assert.match(
    refused(() => parseSandboxConfig({ labels: many }), "INVALID_CONFIG").message,
    /at most 16 labels/,
  );
  refused(() => parseSandboxConfig({ timeout: "999h" }, { now }), "TIMEOUT_TOO_LONG", "timeout");
  refused(
    () => parseSandboxConfig({ stop_at_ms: now + 99 * 60 * minute }, { now }),
    "TIMEOUT_TOO_LONG",
  );
});

Deno.test("configuration: an operator's limits hold, and are stated", () => {
  const limits = { ...defaultLimits, memoryMaxMb: 1024, memoryDefaultMb: 256, labels: 1 };
  assert.equal(parseSandboxConfig({}, { limits }).memoryMb, 256);
  const error = refused(
    () => parseSandboxConfig({ memory_mb: 2048 }, { limits }),
    "INVALID_CONFIG",
  );
  assert.match(error.message, /1024/);
  refused(() => parseSandboxConfig({ labels: { a: "", b: "" } }, { limits }), "INVALID_CONFIG");
});

Deno.test("configuration: anything is either a configuration or refused", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.anything(),
        fc.dictionary(
          fc.constantFrom("memory_mb", "labels", "timeout", "stop_at_ms", "env", "volumes"),
          fc.anything(),
        ),
      ),
      (value) => {
        for (const parse of [parseSandboxConfig, parseDenodeployConfigV2]) {
          try {
            parse(value, { now });
          } catch (error) {
            assert.ok(error instanceof PaddockError, String(error));
            assert.ok(["INVALID_CONFIG", "TIMEOUT_TOO_LONG"].includes(error.code));
          }
        }
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("configuration of client 0.2", () => {
  const sandbox_id = crypto.randomUUID();
  const parsed = parseDenodeployConfigV2({
    sandbox_id,
    mode: "create",
    stop_at_ms: now + minute,
    labels: { a: "b" },
    memory_mb: 256,
  }, { now });
  assert.equal(parsed.sandboxId, sandbox_id);
  assert.equal(parsed.mode, "create");
  assert.equal(parsed.config.stopAt, now + minute);
  assert.equal(parseDenodeployConfigV2({ sandbox_id, mode: "connect" }).config.stopAt, "session");
  const memoryOf = (limits = defaultLimits) =>
    parseDenodeployConfigV2({ sandbox_id, mode: "create" }, { limits }).config.memoryMb;
  assert.equal(parsed.config.memoryMb, 256);
  assert.equal(memoryOf(), 1024, "what this client documents");
  assert.equal(memoryOf({ ...defaultLimits, memoryMaxMb: 768 }), 768);
  assert.equal(memoryOf({ ...defaultLimits, memoryDefaultMb: 2048 }), 2048);
  const cases: [unknown, string][] = [
    [{ mode: "create" }, "sandbox_id"],
    [{ sandbox_id: "../../etc", mode: "create" }, "sandbox_id"],
    [{ sandbox_id, mode: "destroy" }, "mode"],
    [{ sandbox_id, mode: "create", memory_mb: 1 }, "memory_mb"],
    [{ sandbox_id, mode: "create", region: "ams" }, "region"],
  ];
  for (const [config, field] of cases) {
    refused(() => parseDenodeployConfigV2(config, { now }), "INVALID_CONFIG", field);
  }
});

Deno.test("extensions: an instant or a duration, at most half an hour ahead", () => {
  assert.equal(parseExtendRequest({ stop_at_ms: now + minute }, { now }), now + minute);
  assert.equal(parseExtendRequest({ timeout: "30m" }, { now }), now + 30 * minute);
  for (const body of [{}, null, { timeout: "session" }, { stop_at_ms: now }, { timeout: "x" }]) {
    refused(() => parseExtendRequest(body, { now }), "INVALID_CONFIG");
  }
  refused(() => parseExtendRequest({ timeout: "31m" }, { now }), "TIMEOUT_TOO_LONG");
});

Deno.test("a sandbox of a template has variables of its own, and memory if it is asked for", () => {
  const parsed = parseSandboxConfig({ template: "web", env: { A: "1" }, labels: { a: "b" } });
  assert.deepEqual(parsed.template, { reference: "web", memoryMb: undefined });
  assert.deepEqual([parsed.env, parsed.labels], [{ A: "1" }, { a: "b" }]);
  const larger = parseSandboxConfig({ template: "web", memory_mb: 640 });
  assert.deepEqual(larger.template, { reference: "web", memoryMb: 640 });
  const root = { volume: "box" };
  const cases: [unknown, string][] = [
    [{ template: "web", driver: "qemu" }, "driver"],
    [{ template: "web", root }, "root"],
    [{ template: "web", volumes: [{ path: "/data", volume: "v" }] }, "volumes"],
    [{ template: "web", checkpoint: "ready" }, "template"],
    [{ template: "" }, "template"],
    [{ template: 7 }, "template"],
  ];
  for (const [config, field] of cases) {
    refused(() => parseSandboxConfig(config), "INVALID_CONFIG", field);
  }
});

Deno.test("timeouts", () => {
  assert.equal(parseTimeout(undefined), "session");
  assert.equal(parseTimeout("session"), "session");
  assert.equal(parseTimeout("30s"), 30_000);
  assert.equal(parseTimeout("5m"), 300_000);
  assert.equal(parseTimeout("1h"), 3_600_000);
  for (const text of ["", "5", "5 m", "-5m", "5.5m", "1e3s", "5d", "Session", "0m", "٣s"]) {
    refused(() => parseTimeout(text), "INVALID_CONFIG", "timeout");
  }
});

Deno.test("ids look as the published clients demand and do not repeat", () => {
  const pattern = /^sbx_[a-z]{3}_[0-9a-hjkmnp-z]{20}$/;
  const seen = new Set<string>();
  const letters = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const id = newSandboxId("ams");
    assert.match(id, pattern);
    seen.add(id);
    for (const letter of id.slice(8)) letters.add(letter);
  }
  assert.equal(seen.size, 2000);
  assert.equal(letters.size, 33);
  assert.equal(regionOfSandboxId(newSandboxId("ord")), "ord");
  assert.equal(regionOfSandboxId("sbx_ord_x"), undefined);
  assert.equal(isSandboxId("../x"), false);
  for (const code of ["", "AMS", "ab", "abcd"]) assert.throws(() => newSandboxId(code), TypeError);
});

Deno.test("regions by code and by alias; others are refused with the list", () => {
  assert.equal(resolveRegion(undefined).code, "ams");
  assert.equal(resolveRegion("eu-west-1").code, "ams");
  assert.equal(resolveRegion("us-east-2").code, "ord");
  const error = refused(() => resolveRegion("mars"), "UNKNOWN_REGION", "region");
  assert.match(error.message, /"mars".*ams or eu-west-1, ord or us-east-2/);
  assert.deepEqual(error.toJSON().regions, ["ams", "ord"]);
  assert.equal(resolveRegion(undefined, [{ code: "lab", aliases: [] }]).code, "lab");
});

Deno.test("limits: each has a key of its own and a default within its range", () => {
  const keys = new Set<string>();
  for (const [name, limit] of Object.entries(limits)) {
    keys.add(limit.configKey);
    assert.equal(limit.configKey, `limits.${name}`);
    assert.ok(limit.description.length > 5, name);
    if ("min" in limit) assert.ok(limit.default >= (limit.min as number), name);
    if ("max" in limit) assert.ok(limit.default <= (limit.max as number), name);
  }
  assert.equal(keys.size, Object.keys(limits).length);
});

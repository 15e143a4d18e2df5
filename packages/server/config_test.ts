import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultLimits, limits, PaddockError } from "@paddock/protocol";
import { loadConfig } from "./config.ts";

function withFile(content: string): Disposable & { path: string } {
  const directory = mkdtempSync(join(tmpdir(), "paddock-config-"));
  const path = join(directory, "config.json");
  writeFileSync(path, content);
  return { path, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

function refusal(load: () => unknown): PaddockError {
  try {
    load();
  } catch (error) {
    assert.ok(error instanceof PaddockError, String(error));
    assert.equal(error.code, "INVALID_SERVER_CONFIG");
    return error;
  }
  throw new Error("the configuration was accepted");
}

Deno.test("nothing configured means the defaults, every limit's included", () => {
  const config = loadConfig({ env: {} });
  assert.deepEqual(config.listen, { host: "127.0.0.1", port: 4200 });
  assert.deepEqual([config.dataDir, config.baseDomain, config.organization], [
    "/var/lib/paddock",
    "sandbox.localhost",
    "default",
  ]);
  assert.deepEqual(config.limits, { ...defaultLimits });
  assert.deepEqual(config.regions.map(({ code }) => code), ["ams", "ord"]);
});

Deno.test("flags win over the environment, which wins over the file", () => {
  using file = withFile(JSON.stringify({
    listen: "[::1]:1",
    dataDir: "/from/file",
    logLevel: "warn",
    limits: { memoryMaxMb: 2048, pids: 99 },
  }));
  const config = loadConfig({
    env: {
      PADDOCK_CONFIG: file.path,
      PADDOCK_DATA_DIR: "/from/env",
      PADDOCK_LOG_LEVEL: "error",
      PADDOCK_LIMITS_MEMORY_MAX_MB: "1024",
      PADDOCK_REGIONS: "fra=eu-central-1=eu,ord",
      PADDOCK_TOKEN: "is a client's",
      PADDOCK_READY_FILE: "",
    },
    flags: { dataDir: "/from/flag", readyFile: undefined },
  });
  assert.deepEqual(config.listen, { host: "::1", port: 1 });
  assert.deepEqual([config.dataDir, config.logLevel], ["/from/flag", "error"]);
  assert.deepEqual([config.limits.memoryMaxMb, config.limits.pids], [1024, 99]);
  assert.deepEqual(config.regions, [
    { code: "fra", aliases: ["eu-central-1", "eu"] },
    { code: "ord", aliases: [] },
  ]);
});

Deno.test("the gateway's settings: one variable leaves the others in the file alone", () => {
  const tls = { mode: "files", cert: "/c.pem", key: "/k.pem" };
  using file = withFile(JSON.stringify({ ingress: { tls, listen: "0.0.0.0:443" } }));
  const env = { PADDOCK_CONFIG: file.path, PADDOCK_INGRESS_LISTEN: "8443" };
  const config = loadConfig({ env, flags: { ssh: { listen: { host: "::", port: 22 } } } });
  assert.deepEqual(config.ingress, {
    enabled: true,
    tls,
    listen: { host: "localhost", port: 8443 },
  });
  assert.deepEqual(config.ssh, { enabled: true, listen: { host: "::", port: 22 } });
  const plain = loadConfig({ env: {} });
  assert.deepEqual(plain.ingress, { enabled: true, tls: { mode: "local" } });
  assert.deepEqual(plain.ssh, { enabled: true });
  using acme = withFile(JSON.stringify({
    ingress: {
      tls: {
        mode: "acme",
        directoryUrl: "https://acme.example/directory",
        acceptTerms: true,
        challenge: { type: "dns-01", hook: ["/usr/bin/hook", "--zone", "example.com"] },
      },
    },
  }));
  const { tls: read } = loadConfig({ env: { PADDOCK_CONFIG: acme.path } }).ingress;
  assert.ok(read.mode === "acme" && read.challenge.type === "dns-01");
  assert.equal(read.challenge.hookTimeoutMs, 120_000);
});

Deno.test("every limit can be set in the environment", () => {
  for (const [name, limit] of Object.entries(limits)) {
    const variable = `PADDOCK_LIMITS_${name.replace(/[A-Z]/g, "_$&").toUpperCase()}`;
    const config = loadConfig({ env: { [variable]: String(limit.default) } });
    assert.equal(config.limits[name as keyof typeof limits], limit.default, variable);
  }
});

Deno.test("what is wrong is named, and where it was written", async (test) => {
  const env = (values: Record<string, string>) => () => loadConfig({ env: values });
  const flag = (values: Record<string, unknown>) => () => loadConfig({ env: {}, flags: values });
  const inFile = (content: string) => () => {
    using file = withFile(content);
    return loadConfig({ env: {}, flags: { config: file.path } });
  };
  const cases: [string, () => unknown, RegExp][] = [
    ["unknown key", inFile(`{"lissten":"x"}`), /^lissten in \/.*config\.json: there is no such/],
    ["unknown limit", inFile(`{"limits":{"x":1}}`), /^limits\.x in \/.*json: there is no such/],
    ["wrong type", inFile(`{"limits":{"pids":"9"}}`), /^limits\.pids in \/.*json: /],
    ["not JSON", inFile(`{`), /config\.json is not JSON/],
    ["no object", inFile(`[]`), /config\.json does not hold a JSON object/],
    ["no file", flag({ config: "/nowhere/x.json" }), /\/nowhere\/x\.json does not exist/],
    ["level", env({ PADDOCK_LOG_LEVEL: "loud" }), /^logLevel in the environment: /],
    ["limit", env({ PADDOCK_LIMITS_PIDS: "3" }), /^limits\.pids in the environment: /],
    ["number", env({ PADDOCK_LIMITS_PIDS: "many" }), /^PADDOCK_LIMITS_PIDS in the environment/],
    ["limit name", env({ PADDOCK_LIMITS_PDIS: "3" }), /^PADDOCK_LIMITS_PDIS .* no such limit/],
    ["region", env({ PADDOCK_REGIONS: "amsterdam" }), /^regions\.0\.code in the environment/],
    ["region twice", env({ PADDOCK_REGIONS: "ams,ord=ams" }), /^regions .*"ams" stands twice/],
    ["port", flag({ listen: "host:99999" }), /^listen in the command line: expected host:port/],
    ["ingress", flag({ ingress: { tls: { mode: "none" } } }), /^ingress\.tls\.mode in the command/],
    ["ingress key", flag({ ingress: { lisen: "1" } }), /^ingress\.lisen in .*no such setting/],
    [
      "tls files",
      flag({ ingress: { tls: { mode: "files", cert: "c" } } }),
      /^ingress\.tls\.key in/,
    ],
    [
      "terms",
      flag({ ingress: { tls: { mode: "acme", directoryUrl: "https://a.b", challenge: {} } } }),
      /^ingress\.tls\..* in the command line: /,
    ],
    ["ssh", env({ PADDOCK_SSH_LISTEN: "host" }), /^ssh\.listen in the environment: expected host/],
    ["memory", flag({ limits: { memoryMaxMb: 256 } }), /memoryDefaultMb.*between 128 and 256/],
  ];
  for (const [name, load, message] of cases) {
    await test.step(name, () => assert.match(refusal(load).message, message));
  }
});

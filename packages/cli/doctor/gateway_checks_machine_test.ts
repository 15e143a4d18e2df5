import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Check } from "./check.ts";
import { gatewayChecks } from "./gateway_checks.ts";

const config = {
  baseDomain: "sandbox.localhost",
  dataDir: "/nowhere/paddock",
  ingress: { enabled: true, tls: { mode: "local" as const } },
  ssh: { enabled: true },
};

function named(checks: Check[], name: string): Check {
  return checks.find((check) => check.name === name)!;
}

Deno.test("this host resolves names below .localhost, and nothing is made by looking", async () => {
  const checks = await gatewayChecks(config);
  assert.deepEqual(checks.map(({ name }) => name), ["names", "ingress", "ssh", "certificate"]);
  assert.equal(named(checks, "names").status, "ok", named(checks, "names").detail);
  assert.match(named(checks, "certificate").detail, /made at the first start/);
  await assert.rejects(Deno.stat(config.dataDir), Deno.errors.NotFound);
});

Deno.test("a host without libnss-myhostname is told what will not work, and what helps", async () => {
  const settings = await Deno.makeTempFile({ prefix: "paddock-nsswitch-" });
  try {
    const module = fileURLToPath(new URL("gateway_checks.ts", import.meta.url));
    const code = `import { names } from "${module}";
      console.log(JSON.stringify(await names("sandbox.localhost")));`;
    const { success, stdout, stderr } = await new Deno.Command("unshare", {
      args: [
        ...["--mount", "sh", "-ec"],
        `sed 's/ myhostname//' /etc/nsswitch.conf > ${settings}
         mount --bind ${settings} /etc/nsswitch.conf
         exec "$@"`,
        ...["sh", Deno.execPath(), "eval", "--no-lock", code],
      ],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const check: Check = JSON.parse(new TextDecoder().decode(stdout));
    assert.equal(check.status, "warning");
    assert.match(check.detail, /program's fetch of a preview URL fails on this host/);
    assert.match(check.fix!, /libnss-myhostname/);
  } finally {
    await Deno.remove(settings);
  }
});

Deno.test("ports that are configured and taken, and domains that nobody knows, are named", async () => {
  using holder = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const listen = { host: "localhost", port: holder.addr.port };
  const checks = await gatewayChecks({
    ...config,
    baseDomain: "preview.paddock.invalid:443",
    ingress: { ...config.ingress, listen },
  });
  const ingress = named(checks, "ingress");
  assert.deepEqual([ingress.status, /in use/.test(ingress.detail)], ["warning", true]);
  const names = named(checks, "names");
  assert.equal(names.status, "warning");
  assert.match(names.fix!, /DNS record for \*\.preview\.paddock\.invalid /);
  const off = await gatewayChecks({ ...config, ingress: { ...config.ingress, enabled: false } });
  assert.deepEqual(off.map(({ detail }) => detail), ["switched off"]);
});

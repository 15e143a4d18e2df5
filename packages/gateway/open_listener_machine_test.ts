import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

Deno.test("a host without IPv6 is served on 127.0.0.1 alone", async () => {
  const gateway = fileURLToPath(new URL("mod.ts", import.meta.url));
  const protocol = fileURLToPath(new URL("../protocol/mod.ts", import.meta.url));
  const dataDir = await Deno.makeTempDir({ prefix: "paddock-no-ipv6-" });
  try {
    // A whole gateway, in a network namespace of its own; a visitor is told that nothing is there.
    const code = `
      import { startGateway } from "${gateway}";
      import { defaultLimits } from "${protocol}";
      const log = { debug() {}, info() {}, warn() {}, error: console.error, with: () => log };
      await using gateway = await startGateway({
        config: {
          baseDomain: "sandbox.localhost",
          ingress: { enabled: true, tls: { mode: "local" } },
          ssh: { enabled: true },
        },
        engine: { get() {}, list: () => [] },
        exposures: { find() {}, findSsh() {} },
        dataDir: "${dataDir}", log, limits: defaultLimits, signal: new AbortController().signal,
      });
      using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(gateway.ca)] });
      const url = gateway.ingress.replace("https://", "https://x.");
      const { status } = await fetch(url, { client });
      console.log(JSON.stringify({ status, url, ssh: gateway.ssh.hostname }));`;
    const { success, stdout, stderr } = await new Deno.Command("unshare", {
      args: [
        ...["--net", "sh", "-ec"],
        `ip link set lo up
         sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1
         exec "$@"`,
        ...["sh", Deno.execPath(), "eval", "--no-lock", code],
      ],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), {
      status: 404,
      url: "https://x.sandbox.localhost:4443",
      ssh: "sandbox.localhost:4222",
    });
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

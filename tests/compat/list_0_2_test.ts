import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { lookup } from "node:dns/promises";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type RuntimeName, runWith, startServer } from "../harness.ts";
import { makeClientProject } from "./clients.ts";
import { startTlsForwarder } from "./tls_forwarder.ts";

// This client lists over `https://<region>.<base domain>` only, whatever its endpoint is.
Deno.test("client 0.2.2: Sandbox.list over TLS", async (t) => {
  await using server = await startServer();
  const folder = await mkdtemp("/tmp/paddock-list-");
  try {
    const { regions, baseDomain, names } = await regionNames();
    await using forwarder = await startTlsForwarder(folder, new URL(server.api), names);
    await makeClientProject(folder, "0.2.2");
    const program = `${folder}/list_0_2.mjs`;
    await copyFile(fileURLToPath(new URL("./list_0_2.mjs", import.meta.url)), program);
    for (const runtime of ["deno", "node24"] satisfies RuntimeName[]) {
      await t.step(runtime, async () => {
        const result = await runWith(runtime, program, [], {
          cwd: folder,
          env: {
            ...server.env,
            DENO_AVAILABLE_REGIONS: regions.join(","),
            DENO_SANDBOX_BASE_DOMAIN: `${baseDomain}:${forwarder.port}`,
            DENO_CERT: forwarder.authorityFile,
            NODE_EXTRA_CA_CERTS: forwarder.authorityFile,
          },
        });
        assert.equal(result.code, 0, result.stderr);
        const line = result.stdout.split("\n").find((line) => line.startsWith("@@"))!;
        const { id, found, dates, inAll } = JSON.parse(line.slice(2));
        // Once, though two regions were asked: each lists its own.
        assert.equal(found.length, 1, JSON.stringify(found));
        // The client knows its sandbox by the UUID it chose, so that is what it must be told.
        assert.equal(found[0].sandboxId, id);
        assert.equal(found[0].region, regions[0]);
        assert.ok(dates && inAll);
      });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** `ams.localhost` and so on where the host resolves it; else an address cut so that it fits. */
async function regionNames() {
  const regions = ["ams", "ord"];
  const names = regions.map((region) => `${region}.localhost`);
  const resolved = await Promise.all(names.map((name) => lookup(name))).catch(() => null);
  if (resolved) return { regions, baseDomain: "localhost", names };
  console.log(`${names[0]} does not resolve here: using 127.0.0.1`);
  return { regions: ["127"], baseDomain: "0.0.1", names: ["127.0.0.1"] };
}

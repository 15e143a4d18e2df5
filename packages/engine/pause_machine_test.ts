import { strict as assert } from "node:assert";
import { ensureImage } from "../../images/build_image.ts";
import { sandboxSpec, startBench } from "./testing/engine_bench.ts";
import { guestShell } from "./testing/guest_shell.ts";

const soon = () => AbortSignal.timeout(60_000);

Deno.test("a paused sandbox takes no place, and needs one to go on", async () => {
  const { digest, rootfs, manifest } = await ensureImage({
    dataDir: "/var/lib/paddock",
    trust: "host",
  });
  await using bench = await startBench({
    image: { digest, rootfs, env: manifest.env },
    limits: { sandboxesPerOrganization: 1, sandboxes: 2 },
  });
  const { engine } = bench;
  const first = await engine.create(sandboxSpec(), soon());
  await guestShell(first, "echo kept > ~/file");
  await first.pause(soon());
  const second = await engine.create(sandboxSpec(), soon());
  const other = await engine.create(sandboxSpec({ organizationId: "other" }), soon());
  await assert.rejects(first.resume(soon()), { code: "CAPACITY_EXHAUSTED" });
  await other.kill();
  await assert.rejects(first.resume(soon()), {
    code: "TOO_MANY_SANDBOXES",
    details: { limit: "sandboxesPerOrganization", max: 1 },
  });
  assert.equal(first.state, "paused");
  await second.kill();
  await first.resume(soon());
  assert.equal((await guestShell(first, "cat ~/file")).trim(), "kept");
});

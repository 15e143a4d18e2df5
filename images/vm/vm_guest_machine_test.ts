import assert from "node:assert/strict";
import { checkVmlinux } from "./carve_vmlinux.ts";
import { ensureVmGuest, findVmGuest, type VmGuest } from "./vm_guest.ts";

const dataDir = "/var/lib/paddock";

async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "paddock-vm-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("vm guest: built once; its kernel starts either way and has all it needs", async () => {
  const guest = await ensureVmGuest({ dataDir });
  const said: string[] = [];
  const again = await ensureVmGuest({ dataDir, onProgress: ({ what }) => said.push(what) });
  assert.deepEqual(again, guest);
  assert.deepEqual(said, [], "nothing is built twice");
  assert.equal((await findVmGuest({ dataDir }))?.manifest.kernel.source, "debian");
  checkVmlinux(await Deno.readFile(guest.vmlinux));
  assert.ok(guest.bzImage);
  const { modules, optionsFrom, unchecked } = guest.manifest;
  assert.ok(optionsFrom, "Debian's package says its options");
  assert.deepEqual(unchecked, []);
  const order = ["virtio_mmio", "virtio_blk", "net_failover", "virtio_net", "erofs", "overlay"];
  assert.deepEqual(modules.filter((name) => order.includes(name)), order);
  assert.ok(modules.indexOf("failover") < modules.indexOf("net_failover"));
});

Deno.test("vm guest: a file that is no kernel, and one that is missing, are refused by name", async () => {
  await using dir = await temporary();
  const kernel = `${dir.path}/kernel`;
  const refused = async (pattern: RegExp) =>
    await assert.rejects(
      ensureVmGuest({ dataDir: dir.path, kernel }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "IMAGE_BUILD_FAILED");
        assert.match(error.message, pattern);
        return true;
      },
    );
  await refused(/cannot be read/);
  await Deno.writeTextFile(kernel, "no kernel at all".repeat(100));
  await refused(/not a Linux kernel in bzImage format/);
  const { bzImage } = await ensureVmGuest({ dataDir });
  const image = await Deno.readFile(bzImage!);
  // Damaged in the middle of what is compressed.
  image.fill(0, 1024 * 1024, 1024 * 1024 + 4096);
  await Deno.writeFile(kernel, image);
  await assert.rejects(ensureVmGuest({ dataDir: dir.path, kernel }), /kernel/);
  const left = [...Deno.readDirSync(`${dir.path}/vm`)].map(({ name }) => name);
  assert.deepEqual(left, [".lock"], "nothing half-built stays");
});

Deno.test("vm guest: a kernel of the operator's own, with its modules beside it", async () => {
  const guest: VmGuest = await ensureVmGuest({ dataDir });
  await using dir = await temporary();
  const kernel = `${dir.path}/vmlinuz`;
  await Deno.copyFile(guest.bzImage!, kernel);
  await Deno.mkdir(`${dir.path}/modules`);
  await assert.rejects(ensureVmGuest({ dataDir: dir.path, kernel }), /has no virtio_mmio/);
  const config = `${dir.path}/config-${guest.manifest.kernel.release}`;
  await Deno.writeTextFile(config, "CONFIG_ACPI=y\n");
  await assert.rejects(ensureVmGuest({ dataDir: dir.path, kernel }), /no CONFIG_EROFS_FS/);
});

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { checkKernelOptions, embeddedConfig } from "./kernel_options.ts";

const all = [
  ...["ACPI", "VIRTIO_MMIO", "VIRTIO_BLK", "VIRTIO_NET", "VIRTIO_BALLOON", "HW_RANDOM_VIRTIO"],
  ...["EROFS_FS", "EXT4_FS", "OVERLAY_FS", "BLK_DEV_INITRD", "DEVTMPFS", "TMPFS", "UNIX98_PTYS"],
  ...["SERIAL_8250_CONSOLE", "MAGIC_SYSRQ", "PVH"],
];
const config = (names: string[]) =>
  names.map((name, at) => `CONFIG_${name}=${at % 2 ? "m" : "y"}\n`).join("");

function kernelWith(text: string | undefined): Uint8Array {
  const bytes = new TextEncoder();
  if (text === undefined) return bytes.encode("\x7fELF nothing in here");
  return new Uint8Array([
    ...bytes.encode("\x7fELF code IKCFG_ST"),
    ...gzipSync(text),
    ...bytes.encode("IKCFG_ED more code"),
  ]);
}

const files = { release: "0.0-test", modulesDir: "/no/such/modules" };

Deno.test("kernel options: those that a kernel carries in it", async () => {
  assert.equal(embeddedConfig(kernelWith("CONFIG_X=y\n")), "CONFIG_X=y\n");
  assert.equal(embeddedConfig(kernelWith(undefined)), undefined);
  const complete = { ...files, vmlinux: kernelWith(config(all)), directory: "/no/such" };
  assert.deepEqual(await checkKernelOptions(complete), {
    problems: [],
    source: "the kernel itself",
    unchecked: [],
  });
  const without = config(all.filter((name) => name !== "EROFS_FS")) +
    "# CONFIG_EROFS_FS is not set\nCONFIG_EROFS_FS_ZIP=y\n";
  const { problems } = await checkKernelOptions({ ...complete, vmlinux: kernelWith(without) });
  assert.deepEqual(problems, ["The kernel has no CONFIG_EROFS_FS, for the guest image."]);
});

Deno.test("kernel options: those in a file beside it, and none at all", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const kernel = { ...files, vmlinux: kernelWith(undefined), directory };
    const unknown = await checkKernelOptions(kernel);
    assert.deepEqual(unknown.problems, []);
    assert.equal(unknown.source, undefined);
    assert.match(unknown.unchecked[0], /only its modules were looked at/);
    await Deno.writeTextFile(`${directory}/config-0.0-test`, config(all.slice(1)));
    const known = await checkKernelOptions(kernel);
    assert.match(known.source ?? "", /config-0\.0-test$/);
    assert.deepEqual(known.problems, ["The kernel has no CONFIG_ACPI, for finding its devices."]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

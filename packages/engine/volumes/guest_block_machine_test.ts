import { strict as assert } from "node:assert";
import { type Driver, runCommand, silentLog } from "@paddock/driver";
import { defaultLimits } from "@paddock/protocol";
import { createMemoryVolumeStore } from "./memory_volume_store.ts";
import { NodeVolumes } from "./node_volumes.ts";

const MiB = 1024 * 1024;
const soon = () => AbortSignal.timeout(60_000);
const NEEDS_RECOVERY = { byte: 1024 + 0x60, bit: 4 };

/** What is asked of a driver here: whose kernel writes the volumes. */
const driver = { name: "qemu", traits: { volumeFormat: "guest_block" } } as Driver;

Deno.test("volumes that a guest's kernel writes: only copied and lengthened, and copied only whole", async () => {
  const directory = await Deno.makeTempDir({ prefix: "paddock-guest-block-" });
  const volumes = new NodeVolumes({
    ...{ directory, store: createMemoryVolumeStore(), driver: () => driver, log: silentLog },
    image: { digest: "test", rootfs: "/nowhere" },
    limits: { ...defaultLimits, hostFreeDiskBytes: 0 },
  });
  try {
    await volumes.open();
    const where = { organizationId: "test", region: "ord" };
    const volume = await volumes.create(
      { ...where, slug: "data", capacityBytes: 64 * MiB },
      soon(),
    );
    assert.equal(volume.format, "guest_block");
    const image = `${directory}/${volume.id}.img`;
    const flags = await byteAt(image);
    await setByte(image, flags | NEEDS_RECOVERY.bit);
    const early = volumes.snapshot(volume.id, { slug: "early" }, soon());
    await assert.rejects(early, { code: "VOLUME_CUT_OFF" });
    await setByte(image, flags);
    const snapshot = await volumes.snapshot(volume.id, { slug: "snap" }, soon());
    const larger = await volumes.create(
      {
        ...{ ...where, slug: "larger", capacityBytes: 200 * MiB },
        from: { snapshotId: snapshot.id },
      },
      soon(),
    );
    const copy = `${directory}/${larger.id}.img`;
    assert.equal((await Deno.stat(copy)).size, 200 * MiB);
    const about = await runCommand(["dumpe2fs", "-h", copy]);
    assert.match(about.stdout, /Block count: +16384\n/, "the host has left the filesystem alone");
  } finally {
    await volumes.close();
    await Deno.remove(directory, { recursive: true });
  }
});

async function byteAt(path: string): Promise<number> {
  return (await Deno.readFile(path))[NEEDS_RECOVERY.byte];
}

async function setByte(path: string, value: number): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(NEEDS_RECOVERY.byte, Deno.SeekMode.Start);
  await file.write(new Uint8Array([value]));
}

import { strict as assert } from "node:assert";
import { runCommand } from "./run_command.ts";
import {
  checkVolumeImage,
  copyVolumeImage,
  createVolumeImage,
  growVolumeImage,
  sharedBytes,
  volumeImageSize,
} from "./volume_image.ts";

const MiB = 1024 * 1024;
const owner = { uid: 1000, gid: 1000 };

async function must(...command: string[]): Promise<string> {
  const done = await runCommand(command);
  assert.ok(done.ok, done.stderr);
  return done.stdout;
}

Deno.test("a volume's image: sparse, with a journal, empty, its owner's, and larger when asked", async () => {
  const directory = await Deno.makeTempDir({ prefix: "paddock-volume-image-" });
  try {
    const path = `${directory}/v.img`;
    await createVolumeImage(path, 64 * MiB, { owner });
    assert.match(await must("dumpe2fs", "-h", path), /has_journal/);
    assert.match(await must("debugfs", "-R", "stat <2>", path), /User: +1000 +Group: +1000/);
    assert.doesNotMatch(await must("debugfs", "-R", "ls", path), /lost\+found/);
    const { flattened, allocated } = await volumeImageSize(path);
    assert.ok(flattened < 8 * MiB, `${flattened} bytes for an empty one`);
    assert.equal(allocated, flattened);
    await growVolumeImage(path, 256 * MiB);
    assert.equal((await Deno.stat(path)).size, 256 * MiB);
    assert.match(await must("dumpe2fs", "-h", path), /Block count: +65536\n/);
    await checkVolumeImage(path);
    await Deno.writeFile(path, new Uint8Array(2 * MiB), { create: false });
    await assert.rejects(checkVolumeImage(path), /broken/);
    await assert.rejects(createVolumeImage(path, MiB, { owner }), Deno.errors.AlreadyExists);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("copies share their blocks where the filesystem can, and are whole where it cannot", async () => {
  const directory = await Deno.makeTempDir({ prefix: "paddock-volume-image-" });
  const disk = `${directory}/xfs.img`;
  const mounted = `${directory}/xfs`;
  try {
    await Deno.mkdir(mounted);
    await must("truncate", "-s", "400M", disk);
    await must("mkfs.xfs", "-q", "-m", "reflink=1", disk);
    await must("mount", "-o", "loop", disk, mounted);
    try {
      for (const place of [directory, mounted]) {
        const [from, to] = [`${place}/from.img`, `${place}/to.img`];
        await createVolumeImage(from, 64 * MiB, { owner });
        using file = await Deno.open(from, { write: true });
        await file.seek(32 * MiB, Deno.SeekMode.Start);
        await file.write(crypto.getRandomValues(new Uint8Array(65_536)));
        await file.sync();
        await copyVolumeImage(from, to);
        assert.deepEqual(await Deno.readFile(to), await Deno.readFile(from));
        const { flattened, allocated } = await volumeImageSize(to);
        if (place === directory) {
          const onExt4 = (await must("stat", "-f", "-c", "%T", place)).startsWith("ext");
          if (onExt4) assert.equal(allocated, flattened);
          continue;
        }
        assert.ok(flattened > 65_536 && allocated < flattened / 4, `${allocated} of ${flattened}`);
        // What the copy writes is its own.
        using copy = await Deno.open(to, { write: true });
        await copy.seek(32 * MiB, Deno.SeekMode.Start);
        await copy.write(crypto.getRandomValues(new Uint8Array(65_536)));
        await copy.sync();
        const after = await volumeImageSize(to);
        assert.ok(after.allocated >= allocated + 65_536, `${allocated}, then ${after.allocated}`);
        assert.notDeepEqual(await Deno.readFile(to), await Deno.readFile(from));
      }
    } finally {
      await must("umount", mounted);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("what a file shares is read from its map of extents", () => {
  const map = [
    "Filesystem type is: 58465342",
    "File size of to.img is 67108864 (65536 blocks of 1024 bytes)",
    " ext:     logical_offset:        physical_offset: length:   expected: flags:",
    "   0:        0..    1063:      34816..     35879:   1064:             shared",
    "   1:    32768..   32831:      68000..     68063:     64:      67584:",
    "   2:    65532..   65535:      90000..     90003:      4:      99999: last,shared,eof",
    "to.img: 3 extents found",
  ];
  assert.equal(sharedBytes(map.join("\n")), (1064 + 4) * 1024);
  assert.equal(sharedBytes(""), 0);
});

import { strict as assert } from "node:assert";
import { basename, dirname } from "node:path";
import { layersImage } from "./layers_image.ts";
import { packTree } from "./packed_tree.ts";
import { rootImage } from "./root_image.ts";

const signal = AbortSignal.timeout(60_000);

async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "paddock-packed-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function imageIn(path: string) {
  await Deno.mkdir(`${path}/rootfs/etc`, { recursive: true });
  await Deno.writeTextFile(`${path}/rootfs/etc/name`, "x".repeat(10_000));
  return { digest: "d", rootfs: `${path}/rootfs` };
}

Deno.test("packed image: made once, by one of many, and whole", async () => {
  await using dir = await temporary();
  const image = await imageIn(dir.path);
  const [one, two] = await Promise.all([rootImage(image, signal), rootImage(image, signal)]);
  assert.deepEqual(one, two);
  const { ino } = await Deno.stat(one.path);
  assert.deepEqual(await rootImage(image, signal), one);
  assert.equal((await Deno.stat(one.path)).ino, ino, "it is not made again");
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name).sort(), [
    "rootfs",
    "vm-root",
  ]);
});

Deno.test("packed image: a byte that has changed on the disk is noticed before it is used", async () => {
  await using dir = await temporary();
  const image = await imageIn(dir.path);
  const { path, sha256 } = await rootImage(image, signal);
  await rootImage(image, signal);
  {
    using file = await Deno.open(path, { write: true });
    await file.seek(4_096, Deno.SeekMode.Start);
    await file.write(Uint8Array.of(0xff));
  }
  await assert.rejects(rootImage(image, signal), (error: Error & { code?: string }) => {
    assert.equal(error.code, "DRIVER_FAILED");
    assert.match(error.message, new RegExp(`corrupted.*should be ${sha256}`));
    return true;
  });
  await Deno.truncate(path, 4_096);
  await assert.rejects(rootImage(image, signal), /corrupted: its digest is of 4096 bytes/);
  await Deno.remove(`${dir.path}/vm-root`, { recursive: true });
  assert.equal((await rootImage(image, signal)).path, path, "removed, it is made anew");
});

Deno.test("packed image: what cannot be packed says so and leaves nothing", async () => {
  await using dir = await temporary();
  const options = { source: `${dir.path}/none`, store: `${dir.path}/store`, name: "x" };
  await assert.rejects(packTree(options, signal), /could not be packed/);
  assert.deepEqual([...Deno.readDirSync(options.store)], []);
});

Deno.test("packed layers: another set is another image; what is still being made stays out", async () => {
  await using dir = await temporary();
  const [layers, store] = [`${dir.path}/layers`, `${dir.path}/store`];
  await Deno.mkdir(layers);
  const empty = await layersImage(layers, store, signal);
  await Deno.mkdir(`${layers}/.half`);
  await Deno.writeTextFile(`${layers}/.half/secret-mark`, "half made, not to be seen");
  assert.deepEqual(await layersImage(layers, store, signal), empty);
  await Deno.mkdir(`${layers}/whole`);
  await Deno.writeTextFile(`${layers}/whole/file`, "whole");
  const full = await layersImage(layers, store, signal);
  assert.notEqual(full.path, empty.path);
  const content = new TextDecoder("latin1").decode(await Deno.readFile(full.path));
  assert.match(content, /whole/);
  // Nobody has asked for the empty set for hours; what else lies there is not the layers' business.
  const long = new Date(Date.now() - 5 * 60 * 60_000);
  await Deno.mkdir(`${store}/something-else`);
  for (const path of [dirname(empty.path), `${store}/something-else`]) {
    await Deno.utime(path, long, long);
  }
  await layersImage(layers, store, signal);
  const left = [...Deno.readDirSync(store)].map(({ name }) => name).sort();
  assert.deepEqual(left, [basename(dirname(full.path)), "something-else"].sort());
  assert.doesNotMatch(content, /secret-mark/);
});

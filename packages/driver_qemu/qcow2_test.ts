import { strict as assert } from "node:assert";
import { applyOverlay, createOverlay } from "./qcow2.ts";

const CLUSTER = 65_536;
const BYTES = 3 * CLUSTER + 512;

interface Overlay extends AsyncDisposable {
  path: string;
  target: string;
  /** Writes an entry of the second-level table, which is cluster 4. */
  point(cluster: number, entry: bigint): void;
}

/** A disk whose first-level table leads to one second-level table, and a base full of "b". */
async function overlay(): Promise<Overlay> {
  const dir = await Deno.makeTempDir({ prefix: "paddock-qcow2-" });
  const [path, target] = [`${dir}/overlay`, `${dir}/target`];
  await createOverlay(path, BYTES);
  const write = (at: number, value: bigint) => {
    using file = Deno.openSync(path, { write: true });
    file.seekSync(at, Deno.SeekMode.Start);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value);
    file.writeSync(bytes);
  };
  await Deno.truncate(path, 6 * CLUSTER);
  write(3 * CLUSTER, BigInt(4 * CLUSTER) | 1n << 63n);
  using file = Deno.openSync(path, { write: true });
  file.seekSync(5 * CLUSTER, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(CLUSTER).fill("o".charCodeAt(0)));
  await Deno.writeTextFile(target, "b".repeat(BYTES));
  return {
    ...{ path, target },
    point: (cluster, entry) => write(4 * CLUSTER + cluster * 8, entry),
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

const DATA = BigInt(5 * CLUSTER) | 1n << 63n;

Deno.test("qcow2: what an overlay holds goes over its base, the rest stays", async () => {
  await using disk = await overlay();
  disk.point(1, DATA);
  disk.point(2, 1n);
  disk.point(3, DATA);
  await applyOverlay(disk.path, disk.target);
  const text = await Deno.readTextFile(disk.target);
  assert.equal(text.length, BYTES, "the last cluster ends where the disk does");
  const runs = [...text.matchAll(/(.)\1*/gs)].map(([run, character]) => [character, run.length]);
  assert.deepEqual(runs, [["b", CLUSTER], ["o", CLUSTER], ["\0", CLUSTER], ["o", 512]]);
});

Deno.test("qcow2: an empty overlay changes nothing", async () => {
  await using disk = await overlay();
  await applyOverlay(disk.path, disk.target);
  assert.equal(await Deno.readTextFile(disk.target), "b".repeat(BYTES));
});

Deno.test("qcow2: tables that lead astray are refused", async () => {
  for (
    const [cluster, entry] of [
      [0, 1n << 40n],
      [0, DATA | 1n << 62n],
      [4, DATA],
    ] as [number, bigint][]
  ) {
    await using disk = await overlay();
    disk.point(cluster, entry);
    await assert.rejects(applyOverlay(disk.path, disk.target), /machine's disk/);
  }
  await using disk = await overlay();
  await Deno.writeTextFile(disk.path, "not a disk at all".repeat(100));
  await assert.rejects(applyOverlay(disk.path, disk.target), /not in the format/);
});

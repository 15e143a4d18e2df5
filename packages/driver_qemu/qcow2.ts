const MAGIC = 0x514649fb;
const VERSION = 3;
const CLUSTER_BITS = 16;
const CLUSTER = 1 << CLUSTER_BITS;
const HEADER_LENGTH = 104;
/** Entries of a table that fills a cluster. */
const TABLE_ENTRIES = CLUSTER / 8;
const OFFSET_MASK = 0x00ff_ffff_ffff_fe00n;
const COMPRESSED = 1n << 62n;
const ZERO = 1n;

/**
 * Makes an empty copy-on-write disk of `bytes`, whose base is named when it is opened and not in the
 * file: header, table and block of reference counts, and the first-level table, a cluster each.
 */
export async function createOverlay(path: string, bytes: number): Promise<void> {
  const entries = Math.ceil(bytes / CLUSTER / TABLE_ENTRIES);
  if (entries > TABLE_ENTRIES) throw new RangeError(`a disk of ${bytes} bytes is too large`);
  const [counts, block, table, clusters] = [1, 2, 3, 4];
  const content = new Uint8Array(clusters * CLUSTER);
  const view = new DataView(content.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, VERSION);
  view.setUint32(20, CLUSTER_BITS);
  view.setBigUint64(24, BigInt(bytes));
  view.setUint32(36, entries);
  view.setBigUint64(40, BigInt(table * CLUSTER));
  view.setBigUint64(48, BigInt(counts * CLUSTER));
  view.setUint32(56, 1);
  // Reference counts have 1 << 4 bits.
  view.setUint32(96, 4);
  view.setUint32(100, HEADER_LENGTH);
  view.setBigUint64(counts * CLUSTER, BigInt(block * CLUSTER));
  for (let cluster = 0; cluster < clusters; cluster++) {
    view.setUint16(block * CLUSTER + cluster * 2, 1);
  }
  await Deno.writeFile(path, content, { createNew: true, mode: 0o600 });
}

/**
 * Writes what a copy-on-write disk holds over `target`, a raw copy of its base: the two become what a
 * guest saw. QEMU wrote the tables, and a guest may have taken QEMU over: every offset is checked.
 */
export async function applyOverlay(overlay: string, target: string): Promise<void> {
  using source = await Deno.open(overlay);
  using file = await Deno.open(target, { write: true });
  const { size } = await source.stat();
  const header = new DataView((await readAt(source, 0, HEADER_LENGTH)).buffer);
  const known = header.getUint32(0) === MAGIC && header.getUint32(4) === VERSION &&
    header.getUint32(20) === CLUSTER_BITS && header.getBigUint64(72) === 0n;
  if (!known) throw new Error("the machine's disk is not in the format it was made in");
  const bytes = Number(header.getBigUint64(24));
  const entries = header.getUint32(36);
  if (entries > TABLE_ENTRIES) throw new Error("the machine's disk has too large a table");
  const place = (entry: bigint, length: number): number => {
    const offset = Number(entry & OFFSET_MASK);
    if (offset + length > size) throw new Error("the machine's disk leads outside itself");
    return offset;
  };
  const zeros = new Uint8Array(CLUSTER);
  const first = await readTable(source, place(header.getBigUint64(40), entries * 8), entries);
  for (const [index, entry] of first.entries()) {
    if ((entry & OFFSET_MASK) === 0n) continue;
    const second = await readTable(source, place(entry, CLUSTER), TABLE_ENTRIES);
    for (const [at, cluster] of second.entries()) {
      if (cluster === 0n) continue;
      if (cluster & COMPRESSED) throw new Error("the machine's disk is compressed");
      const offset = (index * TABLE_ENTRIES + at) * CLUSTER;
      const length = Math.min(CLUSTER, bytes - offset);
      if (length <= 0) throw new Error("the machine's disk is larger than it says");
      const content = cluster & ZERO
        ? zeros.subarray(0, length)
        : (cluster & OFFSET_MASK) === 0n
        ? undefined
        : await readAt(source, place(cluster, length), length);
      if (!content) continue;
      await file.seek(offset, Deno.SeekMode.Start);
      for (let done = 0; done < length;) done += await file.write(content.subarray(done));
    }
  }
}

async function readTable(file: Deno.FsFile, at: number, entries: number): Promise<bigint[]> {
  const view = new DataView((await readAt(file, at, entries * 8)).buffer);
  return Array.from({ length: entries }, (_, index) => view.getBigUint64(index * 8));
}

async function readAt(
  file: Deno.FsFile,
  at: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const content = new Uint8Array(length);
  await file.seek(at, Deno.SeekMode.Start);
  for (let done = 0; done < length;) {
    const read = await file.read(content.subarray(done));
    // A file may end within its last cluster: the rest of that is zero.
    if (read === null) break;
    done += read;
  }
  return content;
}

const PAGE = 4096;
const ENTRY = 8;
/** Bits of an entry of /proc/PID/pagemap, in its upper half. */
const PRESENT = 1 << 31;
const SWAPPED = 1 << 30;
const OF_FILE = 1 << 29;
/** Pages of the map that are read at once: 64 MiB of memory. */
const CHUNK_PAGES = 16 * 1024;
/** How much is copied at once. */
const COPY_BYTES = 1024 * 1024;

export interface MappedMemory {
  pid: number;
  /** The file that the process has mapped as the machine's memory, as it names it. */
  inode: number;
  bytes: number;
}

/**
 * Writes a machine's memory into `target`, which holds already what the file holds that the machine
 * has mapped privately: only the pages that the machine has changed are read from the process. The
 * machine has to stand still. Works for any VMM that maps its guest's memory from a file in one piece.
 */
export async function writeChangedMemory(memory: MappedMemory, target: string): Promise<number> {
  const start = mappingStart(memory);
  using pagemap = await Deno.open(`/proc/${memory.pid}/pagemap`);
  using source = await Deno.open(`/proc/${memory.pid}/mem`);
  using file = await Deno.open(target, { write: true });
  const pages = memory.bytes / PAGE;
  const map = new Uint8Array(CHUNK_PAGES * ENTRY);
  const view = new DataView(map.buffer);
  const buffer = new Uint8Array(COPY_BYTES);
  let copied = 0;
  const copy = async (first: number, count: number) => {
    for (let done = 0; done < count;) {
      const part = buffer.subarray(0, Math.min(COPY_BYTES, (count - done) * PAGE));
      await readAt(source, start + (first + done) * PAGE, part);
      await writeAt(file, (first + done) * PAGE, part);
      done += part.length / PAGE;
      copied += part.length;
    }
  };
  for (let at = 0; at < pages; at += CHUNK_PAGES) {
    const count = Math.min(CHUNK_PAGES, pages - at);
    await readAt(pagemap, (start / PAGE + at) * ENTRY, map.subarray(0, count * ENTRY));
    let run = 0;
    for (let index = 0; index < count; index++) {
      const entry = view.getInt32(index * ENTRY + 4, true);
      const there = (entry & (PRESENT | SWAPPED)) !== 0;
      if (there && (entry & OF_FILE) === 0) {
        run++;
      } else if (run > 0) {
        await copy(at + index - run, run);
        run = 0;
      }
    }
    if (run > 0) await copy(at + count - run, run);
  }
  return copied;
}

/** Where in the process the file is mapped. */
function mappingStart({ pid, inode, bytes }: MappedMemory): number {
  let start: number | undefined;
  let end = 0;
  for (const line of Deno.readTextFileSync(`/proc/${pid}/maps`).split("\n")) {
    const found = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ (\d+)/.exec(line);
    if (!found || Number(found[4]) !== inode) continue;
    const from = Number.parseInt(found[1], 16);
    // The kernel may show one mapping in parts, each with its place in the file.
    if (start === undefined) start = from - Number.parseInt(found[3], 16);
    end = Math.max(end, Number.parseInt(found[2], 16));
  }
  if (start === undefined || end - start < bytes) {
    throw new Error("the machine's memory is not where it was put");
  }
  return start;
}

async function readAt(file: Deno.FsFile, at: number, into: Uint8Array): Promise<void> {
  await file.seek(at, Deno.SeekMode.Start);
  for (let done = 0; done < into.length;) {
    const read = await file.read(into.subarray(done));
    if (read === null) throw new Error("the machine's memory ended early");
    done += read;
  }
}

async function writeAt(file: Deno.FsFile, at: number, from: Uint8Array): Promise<void> {
  await file.seek(at, Deno.SeekMode.Start);
  for (let done = 0; done < from.length;) done += await file.write(from.subarray(done));
}

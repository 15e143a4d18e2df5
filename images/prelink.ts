/** Where a program that may lie anywhere lies when the kernel does not vary it, or a little above. */
const USUAL_BASE = 0x5555_5540_0000n;
/**
 * gVisor copies as much at once of what a process writes to. What loader and program write begins where one of
 * these does, so that what lies before it stays the file's.
 */
const COPIED_BYTES = 0x20_0000n;
const PAGE_BYTES = 0x1000n;

/** Of elf.h. */
const ELF = { magic: 0x464c_457f, littleEndian64: 0x0102, exec: 2, dyn: 3, x86_64: 62 } as const;
const BYTES = { segment: 56n, section: 64n, dynamic: 16n, symbol: 24n, relocation: 24n } as const;
const PT = { LOAD: 1, DYNAMIC: 2, GNU_STACK: 0x6474_e551 } as const;
const SECTION = { allocated: 2n, dynamicSymbols: 11 } as const;
const STT_TLS = 6;
const R_X86_64 = { "64": 1, GLOB_DAT: 6, JUMP_SLOT: 7, RELATIVE: 8 } as const;
const DF_1_PIE = 0x0800_0000n;
const DT = {
  ...{ PLTRELSZ: 2n, RELA: 7n, RELASZ: 8n, JMPREL: 23n },
  ...{ FLAGS_1: 0x6fff_fffbn, RELACOUNT: 0x6fff_fff9n },
} as const;
/** Entries of the dynamic section that hold an address: tables of names, relocations, versions, functions. */
const ADDRESSES = new Set([
  ...[3n, 4n, 5n, 6n, 7n, 12n, 13n, 23n, 25n, 26n, 32n],
  ...[0x6fff_fef5n, 0x6fff_fff0n, 0x6fff_fffcn, 0x6fff_fffen],
]);
/** REL, TEXTREL, RELR: there is more to relocate than is known here. */
const STRANGE = new Set([17n, 22n, 36n]);

/**
 * A program that lies at one address, made of one that may lie anywhere: what the loader would write into it at
 * each start stands in it already. So these pages are the file's, which all processes of all sandboxes share,
 * where each process would have its own; and it starts sooner. It does what the original does when the kernel
 * varies no addresses. Throws on whatever it does not know.
 */
export function prelink(original: Uint8Array): Uint8Array<ArrayBuffer> {
  const elf = new Elf(original);
  const written = elf.dynamicAddress - elf.dynamicAddress % PAGE_BYTES;
  const base = USUAL_BASE + (COPIED_BYTES - written % COPIED_BYTES) % COPIED_BYTES;
  relocate(elf, base);
  moveSymbols(elf, base);
  moveHeaders(elf, base);
  return elf.file;
}

class Elf {
  readonly file: Uint8Array<ArrayBuffer>;
  readonly #data: DataView;
  readonly segments: { at: bigint; type: number; offset: bigint; address: bigint; bytes: bigint }[];
  /** Where section headers are. */
  readonly sections: bigint[];
  /** Where the values of the dynamic section's entries are. */
  readonly dynamic = new Map<bigint, bigint>();
  readonly dynamicAddress: bigint;

  constructor(original: Uint8Array) {
    this.file = new Uint8Array(original);
    this.#data = new DataView(this.file.buffer);
    const isKnown = this.file.length > 64 && this.u32(0n) === ELF.magic &&
      this.u16(4n) === ELF.littleEndian64 && this.u16(18n) === ELF.x86_64;
    if (!isKnown) throw new Error("it is no ELF program for x86-64");
    if (this.u16(16n) !== ELF.dyn) throw new Error("it lies at one address already");
    this.segments = table(this.u64(32n), this.u16(56n), BYTES.segment).map((at) => ({
      ...{ at, type: this.u32(at), offset: this.u64(at + 8n) },
      ...{ address: this.u64(at + 16n), bytes: this.u64(at + 32n) },
    }));
    this.sections = table(this.u64(40n), this.u16(60n), BYTES.section);
    const dynamic = this.segments.find(({ type }) => type === PT.DYNAMIC);
    if (!dynamic) throw new Error("nothing in it is linked at its start");
    this.dynamicAddress = dynamic.address;
    for (let at = dynamic.offset; this.u64(at) !== 0n; at += BYTES.dynamic) {
      const tag = this.u64(at);
      if (STRANGE.has(tag)) throw new Error(`it has relocations of a kind not known here (${tag})`);
      this.dynamic.set(tag, at + 8n);
    }
  }

  u16(at: bigint): number {
    return this.#data.getUint16(Number(at), true);
  }

  u32(at: bigint): number {
    return this.#data.getUint32(Number(at), true);
  }

  u64(at: bigint): bigint {
    return this.#data.getBigUint64(Number(at), true);
  }

  set16(at: bigint, value: number): void {
    this.#data.setUint16(Number(at), value, true);
  }

  set(at: bigint, value: bigint): void {
    this.#data.setBigUint64(Number(at), value, true);
  }

  add(at: bigint, value: bigint): void {
    this.set(at, this.u64(at) + value);
  }

  /** Where in the file that is. */
  place(address: bigint): bigint {
    const load = this.segments.find(({ type, address: start, bytes }) =>
      type === PT.LOAD && address >= start && address < start + bytes
    );
    if (!load) throw new Error(`nothing in the file is at ${address}`);
    return address - load.address + load.offset;
  }

  /** Of an entry that has to be there. */
  value(tag: bigint): bigint {
    const at = this.dynamic.get(tag);
    if (at === undefined) throw new Error(`its dynamic section has no entry ${tag}`);
    return this.u64(at);
  }
}

/** What depends on the address alone is written into the file; what another library has is the loader's still. */
function relocate(elf: Elf, base: bigint): void {
  const start = elf.place(elf.value(DT.RELA));
  let kept = 0n;
  for (const entry of table(start, elf.value(DT.RELASZ) / BYTES.relocation, BYTES.relocation)) {
    const [address, info, addend] = [0n, 8n, 16n].map((offset) => elf.u64(entry + offset));
    const type = elf.u32(entry + 8n);
    if (type === R_X86_64.RELATIVE) {
      elf.set(elf.place(address), addend + base);
    } else if (type === R_X86_64.GLOB_DAT || type === R_X86_64["64"]) {
      const to = start + kept++ * BYTES.relocation;
      elf.set(to, address + base);
      elf.set(to + 8n, info);
      elf.set(to + 16n, addend);
    } else throw new Error(`it has relocations of a kind not known here (type ${type})`);
  }
  elf.set(elf.dynamic.get(DT.RELASZ)!, kept * BYTES.relocation);
  const relatives = elf.dynamic.get(DT.RELACOUNT);
  if (relatives !== undefined) elf.set(relatives, 0n);
  if (!elf.dynamic.has(DT.JMPREL)) return;
  const calls = elf.value(DT.PLTRELSZ) / BYTES.relocation;
  for (const entry of table(elf.place(elf.value(DT.JMPREL)), calls, BYTES.relocation)) {
    const type = elf.u32(entry + 8n);
    if (type !== R_X86_64.JUMP_SLOT) throw new Error(`it has calls of a kind not known (${type})`);
    // Until it is bound, a call goes to its own stub.
    elf.add(elf.place(elf.u64(entry)), base);
    elf.add(entry, base);
  }
}

/** Libraries that it loads find its functions by these. */
function moveSymbols(elf: Elf, base: bigint): void {
  const names = elf.sections.find((at) => elf.u32(at + 4n) === SECTION.dynamicSymbols);
  if (names === undefined) throw new Error("it does not say how many symbols it has");
  const count = elf.u64(names + 32n) / BYTES.symbol;
  for (const symbol of table(elf.u64(names + 24n), count, BYTES.symbol)) {
    const section = elf.u16(symbol + 6n);
    const isOwn = section !== 0 && section < 0xff00;
    if (isOwn && (elf.u32(symbol + 4n) & 15) !== STT_TLS) elf.add(symbol + 8n, base);
  }
}

function moveHeaders(elf: Elf, base: bigint): void {
  for (const [tag, at] of elf.dynamic) if (ADDRESSES.has(tag)) elf.add(at, base);
  const flags = elf.dynamic.get(DT.FLAGS_1);
  if (flags !== undefined) elf.set(flags, elf.u64(flags) & ~DF_1_PIE);
  for (const { at, type } of elf.segments) {
    if (type === PT.GNU_STACK) continue;
    elf.add(at + 16n, base);
    elf.add(at + 24n, base);
  }
  for (const section of elf.sections) {
    if (elf.u64(section + 8n) & SECTION.allocated) elf.add(section + 16n, base);
  }
  elf.add(24n, base);
  elf.set16(16n, ELF.exec);
}

/** Where the entries of a table are. */
function table(start: bigint, count: number | bigint, bytes: bigint): bigint[] {
  return Array.from({ length: Number(count) }, (_, index) => start + BigInt(index) * bytes);
}

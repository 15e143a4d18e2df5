import { gunzipSync, zstdDecompressSync } from "node:zlib";

const ELF_X86_64 = 62;
const NOTE_SEGMENT = 4;
/** The note that names the entry point for PVH, which Firecracker and QEMU's microvm start from. */
const PVH_ENTRY_NOTE = 18;
/** A kernel that claims to unpack to more than this is not one. */
const MAX_BYTES = 512 * 1024 * 1024;

const compressions: { name: string; magic: number[]; unpack?: (data: Uint8Array) => Uint8Array }[] =
  [
    { name: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd], unpack: unpackZstd },
    { name: "gzip", magic: [0x1f, 0x8b, 0x08], unpack: unpackGzip },
    { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
    { name: "lz4", magic: [0x02, 0x21, 0x4c, 0x18] },
    { name: "bzip2", magic: [0x42, 0x5a, 0x68] },
  ];

/** The release in a bzImage's header, `6.12.95+deb12-cloud-amd64` for example. */
export function bzImageRelease(image: Uint8Array): string {
  const view = headerOf(image);
  const at = view.getUint16(0x20e, true) + 0x200;
  const end = image.indexOf(0, at);
  return new TextDecoder().decode(image.subarray(at, end)).split(" ")[0];
}

/**
 * The ELF vmlinux inside a bzImage. The setup header says where the compressed part lies; that it
 * really is a 64-bit kernel with an entry for PVH is checked.
 */
export function carveVmlinux(image: Uint8Array): Uint8Array {
  const view = headerOf(image);
  const setupSectors = view.getUint8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + view.getUint32(0x248, true);
  const length = view.getUint32(0x24c, true);
  const payload = image.subarray(start, start + length);
  const found = compressions.find(({ magic }) => magic.every((byte, at) => payload[at] === byte));
  if (!found) throw new Error("the kernel's compression is not known");
  if (!found.unpack) throw new Error(`a kernel compressed with ${found.name} cannot be unpacked`);
  const vmlinux = found.unpack(payload);
  checkVmlinux(vmlinux);
  return vmlinux;
}

/** Throws with what is missing when this is not a kernel that can be started as an ELF file. */
export function checkVmlinux(vmlinux: Uint8Array): void {
  const view = new DataView(vmlinux.buffer, vmlinux.byteOffset, vmlinux.byteLength);
  const elf = vmlinux.length > 64 && view.getUint32(0) === 0x7f454c46 && vmlinux[4] === 2;
  if (!elf) throw new Error("the kernel is not a 64-bit ELF file");
  if (view.getUint16(18, true) !== ELF_X86_64) throw new Error("the kernel is not for x86_64");
  if (!hasPvhEntry(view)) throw new Error("the kernel has no PVH entry (CONFIG_PVH)");
}

function hasPvhEntry(view: DataView): boolean {
  const headers = Number(view.getBigUint64(32, true));
  const entrySize = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  for (let index = 0; index < count; index++) {
    const header = headers + index * entrySize;
    if (view.getUint32(header, true) !== NOTE_SEGMENT) continue;
    const start = Number(view.getBigUint64(header + 8, true));
    const end = start + Number(view.getBigUint64(header + 32, true));
    for (let at = start; at + 12 <= end;) {
      const [nameSize, size, type] = [0, 4, 8].map((offset) => view.getUint32(at + offset, true));
      const name = new Uint8Array(view.buffer, view.byteOffset + at + 12, 3);
      if (type === PVH_ENTRY_NOTE && new TextDecoder().decode(name) === "Xen") return true;
      at += 12 + aligned(nameSize) + aligned(size);
    }
  }
  return false;
}

function aligned(size: number): number {
  return Math.ceil(size / 4) * 4;
}

function headerOf(image: Uint8Array): DataView {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  // "HdrS", and at least the version of the boot protocol that says where the payload lies.
  const known = image.length > 0x260 && view.getUint32(0x202) === 0x48647253 &&
    view.getUint16(0x206, true) >= 0x208;
  if (!known) throw new Error("this is not a Linux kernel in bzImage format");
  return view;
}

function unpackZstd(payload: Uint8Array): Uint8Array {
  return zstdDecompressSync(payload.subarray(0, -SIZE_FIELD), { maxOutputLength: MAX_BYTES });
}

function unpackGzip(payload: Uint8Array): Uint8Array {
  return gunzipSync(payload, { maxOutputLength: MAX_BYTES });
}

/** The build appends the unpacked size to every format that does not end with it already. */
const SIZE_FIELD = 4;

export interface CpioEntry {
  /** Relative path; its parent directories come before it. */
  path: string;
  /** File type and permissions as in `stat`: 0o100644 is a plain file, 0o040755 a directory. */
  mode: number;
  content?: Uint8Array;
  /** Major and minor number of a device node. */
  device?: [number, number];
}

const TRAILER = "TRAILER!!!";
const encoder = new TextEncoder();

/**
 * An archive in cpio's "newc" format, the one that a Linux kernel unpacks as its initramfs. Several
 * of them, one after the other, are one initramfs as well: each is padded for that.
 */
export function cpioArchive(entries: CpioEntry[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const add = (part: Uint8Array) => {
    const padding = (4 - part.length % 4) % 4;
    parts.push(part, new Uint8Array(padding));
    size += part.length + padding;
  };
  for (const [index, entry] of [...entries, { path: TRAILER, mode: 0 }].entries()) {
    const content = "content" in entry ? entry.content ?? new Uint8Array() : new Uint8Array();
    const [major, minor] = "device" in entry ? entry.device ?? [0, 0] : [0, 0];
    const name = encoder.encode(`${entry.path}\0`);
    const fields = [
      ...[index + 1, entry.mode, 0, 0, 1, 0, content.length],
      ...[0, 0, major, minor, name.length, 0],
    ];
    const header = fields.map((field) => field.toString(16).padStart(8, "0")).join("");
    const head = new Uint8Array(6 + header.length + name.length);
    head.set(encoder.encode(`070701${header}`));
    head.set(name, 6 + header.length);
    add(head);
    add(content);
  }
  const archive = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

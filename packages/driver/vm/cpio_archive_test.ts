import { strict as assert } from "node:assert";
import { cpioArchive } from "./cpio_archive.ts";

const text = (value: string) => new TextEncoder().encode(value);

/** Reads what the kernel's unpacker would: names, modes and contents, until the trailer. */
function unpack(archive: Uint8Array): { name: string; mode: number; content: string }[] {
  const entries = [];
  const decode = (from: number, length: number) =>
    new TextDecoder().decode(archive.subarray(from, from + length));
  const aligned = (value: number) => Math.ceil(value / 4) * 4;
  for (let at = 0;;) {
    assert.equal(decode(at, 6), "070701");
    const field = (index: number) => Number.parseInt(decode(at + 6 + index * 8, 8), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const name = decode(at + 110, nameSize - 1);
    const start = aligned(at + 110 + nameSize);
    if (name === "TRAILER!!!") return entries;
    entries.push({ name, mode, content: decode(start, size) });
    at = aligned(start + size);
  }
}

Deno.test("cpio: names, modes and contents of every length come out as they went in", () => {
  const entries = [
    { path: "dir", mode: 0o040700 },
    ...[0, 1, 2, 3, 4, 5].map((length) => ({
      path: `dir/${"n".repeat(length + 1)}`,
      mode: 0o100600,
      content: text("x".repeat(length)),
    })),
  ];
  const archive = cpioArchive(entries);
  assert.equal(archive.length % 4, 0, "another archive may follow");
  assert.deepEqual(
    unpack(archive),
    entries.map((entry) => ({
      name: entry.path,
      mode: entry.mode,
      content: "content" in entry ? new TextDecoder().decode(entry.content) : "",
    })),
  );
});

import assert from "node:assert/strict";
import { checkName, download, leavesRoot } from "./download.ts";
import { UnsafePathError } from "./errors.ts";
import type { FileInfo, SandboxFs } from "./fs_types.ts";

/** A sandbox that lists what it likes. Only what a download asks for is there. */
function hostile(listings: Record<string, [name: string, kind: "file" | "dir" | "link"][]>) {
  const info = (kind: string) =>
    ({
      isFile: kind === "file",
      isDirectory: kind === "dir",
      isSymlink: kind === "link",
      mode: 0o4755,
    }) as FileInfo;
  let asked = 0;
  return {
    stat: () => Promise.resolve(info("dir")),
    lstat(path: string) {
      const slash = path.lastIndexOf("/");
      const entries = listings[path.slice(0, slash)] ?? [];
      const matching = entries.filter(([name]) => name === path.slice(slash + 1));
      return Promise.resolve(info(matching[Math.min(asked++, matching.length - 1)]?.[1] ?? "file"));
    },
    async *readDir(path: string) {
      for (const [name, kind] of listings[path] ?? []) {
        yield { name, isDirectory: kind === "dir" };
      }
    },
    readLink: () => Promise.resolve("/etc"),
  } as unknown as SandboxFs;
}

const oneByte = () =>
  Promise.resolve(
    new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(controller) {
        controller.enqueue(new Uint8Array([42]));
        controller.close();
      },
    }),
  );

async function inTempDir(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "paddock_download_" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

for (const name of ["..", "../evil", "/etc/evil", "a/b", "", ".", "a\0b"]) {
  Deno.test(`a listed name ${JSON.stringify(name)} is refused`, async () => {
    assert.throws(() => checkName(name, "/d"), UnsafePathError);
    await inTempDir(async (dir) => {
      const fs = hostile({ "/d": [["ok", "file"], [name, "file"]] });
      await assert.rejects(download(fs, oneByte, "/d", `${dir}/out`), UnsafePathError);
      assert.deepEqual([...Deno.readDirSync(dir)].map((entry) => entry.name), ["out"]);
    });
  });
}

Deno.test("nothing is written through a link that is in the way", async () => {
  await inTempDir(async (dir) => {
    const elsewhere = await Deno.makeTempDir({ prefix: "paddock_download_" });
    try {
      await Deno.mkdir(`${dir}/out`);
      const asDirectory = hostile({ "/x": [["d", "dir"]], "/x/d": [["file", "file"]] });
      await Deno.mkdir(`${dir}/out/x`);
      await Deno.symlink(elsewhere, `${dir}/out/x/d`);
      await assert.rejects(download(asDirectory, oneByte, "/x", `${dir}/out`), UnsafePathError);
      await Deno.symlink(`${elsewhere}/file`, `${dir}/out/x/f`);
      const asFile = hostile({ "/x": [["f", "file"]] });
      await assert.rejects(download(asFile, oneByte, "/x", `${dir}/out`), UnsafePathError);
      assert.deepEqual([...Deno.readDirSync(elsewhere)], []);
    } finally {
      await Deno.remove(elsewhere, { recursive: true });
    }
  });
});

Deno.test("links that point outside are refused, skipped or kept; setuid is never kept", async () => {
  await inTempDir(async (dir) => {
    const fs = hostile({ "/d": [["f", "file"], ["l", "link"]] });
    await assert.rejects(download(fs, oneByte, "/d", `${dir}/a`), /points|outside/);
    await download(fs, oneByte, "/d", `${dir}/b`, { outsideLinks: "skip" });
    assert.deepEqual([...Deno.readDirSync(`${dir}/b`)].map(({ name }) => name), ["f"]);
    assert.equal(Deno.statSync(`${dir}/b/f`).mode! & 0o7777, 0o755);
    await download(fs, oneByte, "/d", `${dir}/c`, { outsideLinks: "keep" });
    assert.equal(Deno.readLinkSync(`${dir}/c/l`), "/etc");
  });
});

Deno.test("where a link points is judged as the system would resolve it", () => {
  assert.equal(leavesRoot("sibling", "link"), false);
  assert.equal(leavesRoot("../sibling", "a/link"), false);
  assert.equal(leavesRoot("a/b", "link"), false);
  assert.equal(leavesRoot("..", "link"), true);
  assert.equal(leavesRoot("../../x", "a/link"), true);
  assert.equal(leavesRoot("/etc", "link"), true);
  assert.equal(leavesRoot("other/../..", "a/b/link"), true, "`other` may be a link itself");
});

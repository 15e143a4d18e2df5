import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";

/** Every file method that takes a path, with its error cases. */
export async function files({ sandbox, fs, check, fails, isV2 }) {
  const collect = async (iterable) => {
    const items = [];
    for await (const item of iterable) items.push(item);
    return items;
  };

  await check("writeTextFile, readTextFile", async () => {
    await fs.writeTextFile("a.txt", "héllo ✓");
    assert.equal(await fs.readTextFile("a.txt"), "héllo ✓");
    assert.equal(await fs.readTextFile("/home/sandbox/a.txt"), "héllo ✓");
  });
  await check("writeFile, readFile keep every byte", async () => {
    const bytes = Uint8Array.from({ length: 256 * 40 }, (_, i) => i % 256);
    await fs.writeFile("b.bin", bytes);
    const back = await fs.readFile("b.bin");
    assert.ok(back instanceof Uint8Array);
    assert.deepEqual(Array.from(back), Array.from(bytes));
    await fs.writeFile("empty.bin", new Uint8Array());
    assert.equal((await fs.readFile("empty.bin")).length, 0);
  });
  await check("writeFile and writeTextFile from a stream", async () => {
    const parts = [new Uint8Array([1, 2]), new Uint8Array([3]), new Uint8Array(70_000).fill(4)];
    await fs.writeFile("s.bin", new Blob(parts).stream());
    const back = await fs.readFile("s.bin");
    assert.equal(back.length, 70_003);
    assert.deepEqual(Array.from(back.slice(0, 4)), [1, 2, 3, 4]);
    const text = new ReadableStream({
      start(controller) {
        controller.enqueue("one ");
        controller.enqueue("two");
        controller.close();
      },
    });
    await fs.writeTextFile("s.txt", text);
    assert.equal(await fs.readTextFile("s.txt"), "one two");
  });
  await check("a stream that fails makes writeFile fail", async () => {
    const broken = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array([1]));
        controller.error(new RangeError("source broke"));
      },
    });
    await assert.rejects(fs.writeFile("broken.bin", broken), /source broke/);
  });
  await check("write options append, create, createNew, mode", async () => {
    await fs.writeTextFile("o.txt", "a");
    await fs.writeTextFile("o.txt", "b", { append: true });
    assert.equal(await fs.readTextFile("o.txt"), "ab");
    await fails(fs.writeTextFile("o.txt", "c", { createNew: true }), "AlreadyExists", "EEXIST");
    await fails(fs.writeTextFile("not-there.txt", "c", { create: false }), "NotFound", "ENOENT");
    await fs.writeTextFile("m.txt", "x", { mode: 0o600 });
    assert.equal((await fs.stat("m.txt")).mode & 0o777, 0o600);
  });
  await check("abort: a write whose stream never ends", async () => {
    const controller = new AbortController();
    const endless = new ReadableStream({
      async pull(source) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        source.enqueue(new Uint8Array(10));
      },
    });
    setTimeout(() => controller.abort(), 300);
    await assert.rejects(
      fs.writeFile("endless.bin", endless, { signal: controller.signal }),
      (error) => error.name === "AbortError",
    );
  });
  await check("NotFound for each method on a path that is not there", async () => {
    await fails(fs.readFile("gone"), "NotFound", "ENOENT");
    await fails(fs.chmod("", 0o644), "NotFound", "ENOENT");
    await fails(fs.readTextFile("gone"), "NotFound", "ENOENT");
    await fails(fs.writeTextFile("gone/x", "x"), "NotFound", "ENOENT");
    await fails(collect(fs.readDir("gone")), "NotFound", "ENOENT");
    await fails(fs.remove("gone"), "NotFound", "ENOENT");
    await fails(fs.mkdir("gone/deeper"), "NotFound", "ENOENT");
    await fails(fs.rename("gone", "there"), "NotFound", "ENOENT");
    await fails(fs.stat("gone"), "NotFound", "ENOENT");
    await fails(fs.lstat("gone"), "NotFound", "ENOENT");
    await fails(fs.chmod("gone", 0o644), "NotFound", "ENOENT");
    await fails(fs.copyFile("gone", "there"), "NotFound", "ENOENT");
    await fails(fs.link("gone", "there"), "NotFound", "ENOENT");
    await fails(fs.readLink("gone"), "NotFound", "ENOENT");
    await fails(fs.realPath("gone"), "NotFound", "ENOENT");
    await fails(fs.truncate("gone"), "NotFound", "ENOENT");
    await fails(fs.utime("gone", 1, 1), "NotFound", "ENOENT");
    await fails(fs.open("gone"), "NotFound", "ENOENT");
    await fails(fs.makeTempFile({ dir: "/gone" }), "NotFound", "ENOENT");
  });
  await check("an error says the path and keeps a stack", async () => {
    const error = await fails(fs.readTextFile("/no/such/file"), "NotFound");
    assert.match(error.message, /No such file or directory/);
    assert.match(error.message, /\/no\/such\/file/);
    assert.ok(error.stack.length > error.message.length);
  });
  await check("IsADirectory, NotADirectory, AlreadyExists, not empty", async () => {
    await fs.mkdir("dir");
    await fails(fs.readFile("dir"), "IsADirectory", "EISDIR");
    await fails(fs.writeTextFile("dir", "x"), "IsADirectory", "EISDIR");
    await fails(fs.readFile("a.txt/below"), "NotADirectory", "ENOTDIR");
    await fails(collect(fs.readDir("a.txt")), "NotADirectory", "ENOTDIR");
    await fails(fs.mkdir("dir"), "AlreadyExists", "EEXIST");
    await fs.writeTextFile("dir/f", "x");
    await assert.rejects(fs.remove("dir"), /not empty/i);
    await fs.remove("dir", { recursive: true });
    await fails(fs.stat("dir"), "NotFound");
  });
  await check(
    "PermissionDenied: a file of root's is not the sandbox user's to change",
    async () => {
      await fails(
        fs.writeTextFile("/etc/passwd", "x", { append: true }),
        "PermissionDenied",
        "EACCES",
      );
      await fails(fs.readTextFile("/etc/shadow"), "PermissionDenied", "EACCES");
    },
  );
  await check("files made by the API belong to the user that commands run as", async () => {
    await fs.writeTextFile("mine.txt", "1");
    await fs.mkdir("mine");
    const text = await sandbox.sh`stat -c %U mine.txt mine && echo 2 >> mine.txt && cat mine.txt`
      .text();
    assert.equal(text, "sandbox\nsandbox\n12\n");
  });
  await check("mkdir recursive and mode, readDir", async () => {
    await fs.mkdir("x/y/z", { recursive: true, mode: 0o700 });
    assert.equal((await fs.stat("x/y/z")).mode & 0o777, 0o700);
    await fs.mkdir("x/y/z", { recursive: true });
    await fs.writeTextFile("x/f", "");
    await fs.symlink("f", "x/l");
    const entries = await collect(fs.readDir("x"));
    entries.sort((a, b) => a.name < b.name ? -1 : 1);
    assert.deepEqual(entries, [
      { name: "f", isFile: true, isDirectory: false, isSymlink: false },
      { name: "l", isFile: false, isDirectory: false, isSymlink: true },
      { name: "y", isFile: false, isDirectory: true, isSymlink: false },
    ]);
  });
  await check("rename, copyFile, link, symlink, readLink, realPath", async () => {
    await fs.writeTextFile("r1", "data");
    await fs.rename("r1", "r2");
    await fs.copyFile("r2", "r3");
    await fs.link("r3", "r4");
    assert.equal((await fs.stat("r4")).nlink, 2);
    await fails(fs.link("r3", "r4"), "AlreadyExists", "EEXIST");
    await fs.symlink("r4", "r5");
    await fs.symlink("dir-target", "r6", { type: "dir" });
    await fails(fs.symlink("r4", "r5"), "AlreadyExists", "EEXIST");
    assert.equal(await fs.readLink("r5"), "r4");
    assert.equal(await fs.realPath("r5"), "/home/sandbox/r4");
    assert.equal(await fs.readTextFile("r5"), "data");
    assert.equal((await fs.lstat("r5")).isSymlink, true);
    assert.equal((await fs.stat("r5")).isSymlink, false);
    await assert.rejects(fs.readLink("r4"), /invalid argument/i);
  });
  await check("stat has every field with its type", async () => {
    await fs.writeTextFile("st", "12345");
    const info = await fs.stat("st");
    assert.equal(info.size, 5);
    assert.equal(info.isFile, true);
    for (const key of ["mtime", "atime", "ctime", "birthtime"]) {
      assert.ok(info[key] instanceof Date, `${key} is ${info[key]}`);
    }
    assert.ok(Math.abs(Date.now() - info.mtime.getTime()) < 60_000, "the guest's clock is right");
    for (const key of ["dev", "ino", "mode", "uid", "gid", "rdev", "blksize", "blocks", "nlink"]) {
      assert.equal(typeof info[key], "number", key);
    }
    for (const key of ["isBlockDevice", "isFifo", "isSocket", "isDirectory", "isSymlink"]) {
      assert.equal(info[key], false, key);
    }
    assert.equal((await fs.stat("/dev/null")).isCharDevice, true);
  });
  await check("chmod, chown, truncate, utime, umask", async () => {
    await fs.writeTextFile("c", "123456");
    await fs.chmod("c", 0o640);
    assert.equal((await fs.stat("c")).mode & 0o777, 0o640);
    await fs.chown("c", 1000, 1000);
    await fs.chown("c", null, null);
    await fs.truncate("c", 3);
    assert.equal(await fs.readTextFile("c"), "123");
    await fs.utime("c", 1_000_000, new Date(2_000_000_000));
    const info = await fs.stat("c");
    assert.equal(info.mtime.getTime(), 2_000_000_000);
    const numbersAreSeconds = isV2;
    assert.equal(info.atime.getTime(), numbersAreSeconds ? 1_000_000_000 : 1_000_000);
    const before = await fs.umask();
    assert.equal(await fs.umask(0o077), before);
    await fs.writeTextFile("masked", "");
    assert.equal((await fs.stat("masked")).mode & 0o777, 0o600);
    assert.equal(await fs.umask(before), 0o077);
    await fs.truncate("c");
    assert.equal((await fs.stat("c")).size, 0);
  });
  await check("makeTempDir, makeTempFile", async () => {
    const dir = await fs.makeTempDir({ prefix: "p-", suffix: "-s" });
    assert.match(dir, /^\/tmp\/p-.*-s$/);
    const file = await fs.makeTempFile({ dir, prefix: "q-" });
    assert.ok(file.startsWith(`${dir}/q-`));
    assert.equal((await fs.stat(file)).isFile, true);
    assert.equal((await fs.stat(await fs.makeTempDir())).isDirectory, true);
  });
  await check("upload a folder with a symlink", async () => {
    const local = await mkdtemp("/tmp/paddock-up-");
    try {
      mkdirSync(`${local}/tree/deep`, { recursive: true });
      await writeFile(`${local}/tree/deep/file.txt`, "uploaded");
      symlinkSync("deep/file.txt", `${local}/tree/link`);
      await fs.mkdir("up");
      await fs.upload(`${local}/tree`, "up");
      assert.equal(await fs.readTextFile("up/tree/deep/file.txt"), "uploaded");
      assert.equal(await fs.readLink("up/tree/link"), "deep/file.txt");
    } finally {
      await rm(local, { recursive: true });
    }
  });
  if (!isV2) await treeMethods({ sandbox, fs, check, fails, collect });
}

/** walk, expandGlob and download: not in 0.2. */
async function treeMethods({ fs, check, fails, collect }) {
  await check("walk with its options", async () => {
    await fs.mkdir("w/sub/deeper", { recursive: true });
    await fs.writeTextFile("w/one.ts", "");
    await fs.writeTextFile("w/two.js", "");
    await fs.writeTextFile("w/sub/three.ts", "");
    await fs.symlink("one.ts", "w/link.ts");
    const paths = async (options) =>
      (await collect(fs.walk("w", options))).map((entry) => entry.path).sort();
    assert.deepEqual(await paths({}), [
      "w",
      "w/link.ts",
      "w/one.ts",
      "w/sub",
      "w/sub/deeper",
      "w/sub/three.ts",
      "w/two.js",
    ]);
    assert.deepEqual(await paths({ includeDirs: false, includeSymlinks: false, exts: ["ts"] }), [
      "w/one.ts",
      "w/sub/three.ts",
    ]);
    assert.deepEqual(await paths({ maxDepth: 1, includeFiles: false, includeSymlinks: false }), [
      "w",
      "w/sub",
    ]);
    assert.deepEqual(await paths({ match: [/three/], includeDirs: false }), ["w/sub/three.ts"]);
    assert.deepEqual(await paths({ skip: [/sub/, /link/, /two/] }), ["w", "w/one.ts"]);
    const [root] = await collect(fs.walk("w", { maxDepth: 0 }));
    assert.deepEqual(root, {
      path: "w",
      name: "w",
      isFile: false,
      isDirectory: true,
      isSymlink: false,
    });
    await assert.rejects(collect(fs.walk("not-there")), /No such file|not found/i);
  });
  // Not left early: a published client does not tell, and does not survive the end of the stream.
  await check("walk of many entries", async () => {
    assert.ok((await collect(fs.walk("/usr/share", { maxDepth: 3 }))).length > 100);
  });
  await check("expandGlob with its options", async () => {
    const paths = async (glob, options) =>
      (await collect(fs.expandGlob(glob, options))).map((entry) => entry.path).sort();
    assert.deepEqual(await paths("w/*.ts", { includeDirs: false }), [
      "/home/sandbox/w/link.ts",
      "/home/sandbox/w/one.ts",
    ]);
    assert.deepEqual(await paths("**/*.ts", { root: "/home/sandbox/w", exclude: ["link.ts"] }), [
      "/home/sandbox/w/one.ts",
      "/home/sandbox/w/sub/three.ts",
    ]);
    assert.deepEqual(await paths("w/*.JS", { caseInsensitive: true }), ["/home/sandbox/w/two.js"]);
    assert.deepEqual(await paths("w/none*"), []);
  });
  await check("download gives back what upload sent", async () => {
    const local = await mkdtemp("/tmp/paddock-down-");
    try {
      await fs.writeTextFile("w/one.ts", "down");
      await fs.download("w/one.ts", `${local}/one.ts`);
      assert.equal(readFileSync(`${local}/one.ts`, "utf8"), "down");
      await fs.download("w", local);
      assert.equal(await readFile(`${local}/w/one.ts`, "utf8"), "down");
      assert.ok(lstatSync(`${local}/w/sub/deeper`).isDirectory());
      assert.equal(readlinkSync(`${local}/w/link.ts`), "one.ts");
    } finally {
      await rm(local, { recursive: true });
    }
    await fails(fs.download("gone", "/tmp/never"), "NotFound");
  });
}

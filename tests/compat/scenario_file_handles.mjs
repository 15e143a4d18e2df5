import assert from "node:assert/strict";

/** Every method of an open file. */
export async function fileHandles({ client, fs, check, fails }) {
  const { SeekMode } = client;
  const encode = (text) => new TextEncoder().encode(text);
  const decode = (bytes) => new TextDecoder().decode(bytes);

  await check("create, write, close, open, read to the end", async () => {
    const file = await fs.create("h.txt");
    assert.equal(await file.write(encode("hello world")), 11);
    await file.close();
    const again = await fs.open("h.txt", { read: true });
    const buffer = new Uint8Array(5);
    assert.equal(await again.read(buffer), 5);
    assert.equal(decode(buffer), "hello");
    assert.equal(await again.read(new Uint8Array(100)), 6);
    assert.equal(await again.read(buffer), null);
    await again.close();
  });
  await check("open is for reading by default", async () => {
    const file = await fs.open("h.txt");
    assert.equal(await file.read(new Uint8Array(3)), 3);
    await assert.rejects(file.write(encode("x")), /bad file descriptor|permission|BadResource/i);
    await file.close();
  });
  await check("open options", async () => {
    await fails(fs.open("h.txt", { write: true, createNew: true }), "AlreadyExists", "EEXIST");
    const appended = await fs.open("h.txt", { append: true });
    await appended.write(encode("!"));
    await appended.close();
    assert.equal(await fs.readTextFile("h.txt"), "hello world!");
    const cut = await fs.open("h.txt", { write: true, truncate: true });
    await cut.close();
    assert.equal(await fs.readTextFile("h.txt"), "");
    const made = await fs.open("h2.txt", { write: true, create: true, mode: 0o640 });
    await made.close();
    assert.equal((await fs.stat("h2.txt")).mode & 0o777, 0o640);
    await assert.rejects(fs.open("h.txt", { truncate: true }), Error);
  });
  await check("seek in three modes, with numbers and bigints", async () => {
    const file = await fs.open("seek", { read: true, write: true, create: true });
    await file.write(new Uint8Array([0, 1, 2, 3, 4, 5]));
    assert.equal(await file.seek(2, SeekMode.Start), 2);
    assert.equal(await file.seek(3n, SeekMode.Current), 5);
    assert.equal(await file.seek(-4, SeekMode.End), 2);
    const buffer = new Uint8Array(10);
    assert.equal(await file.read(buffer), 4);
    assert.deepEqual([...buffer.slice(0, 4)], [2, 3, 4, 5]);
    await assert.rejects(file.seek(-1, SeekMode.Start), Error);
    await file.close();
  });
  await check("truncate, stat, sync, syncData, utime", async () => {
    const file = await fs.open("t", { read: true, write: true, create: true });
    await file.write(encode("0123456789"));
    await file.truncate(4);
    await file.sync();
    await file.syncData();
    assert.equal((await file.stat()).size, 4);
    await file.utime(new Date(1_000_000_000), new Date(2_000_000_000));
    const info = await file.stat();
    assert.equal(info.mtime.getTime(), 2_000_000_000);
    assert.equal(info.atime.getTime(), 1_000_000_000);
    await file.truncate();
    assert.equal((await file.stat()).size, 0);
    await file.close();
  });
  await check("lock and unlock", async () => {
    const file = await fs.open("t", { read: true, write: true });
    await file.lock(true);
    await file.unlock();
    await file.lock();
    await file.unlock();
    await file.close();
  });
  await check("readable and writable", async () => {
    const out = await fs.create("stream.txt");
    await new Blob(["x".repeat(200_000)]).stream().pipeTo(out.writable);
    await out.close();
    const source = await fs.open("stream.txt", { read: true });
    assert.equal((await new Response(source.readable).text()).length, 200_000);
    await source.close();
  });
  await check("BadResource for every method once closed", async () => {
    const file = await fs.open("t", { read: true, write: true });
    await file.close();
    await file.close();
    await fails(file.read(new Uint8Array(1)), "BadResource");
    await fails(file.write(encode("x")), "BadResource");
    await fails(file.seek(0, SeekMode.Start), "BadResource");
    await fails(file.stat(), "BadResource");
    await fails(file.sync(), "BadResource");
    await fails(file.syncData(), "BadResource");
    await fails(file.truncate(1), "BadResource");
    await fails(file.utime(1, 1), "BadResource");
    await fails(file.lock(), "BadResource");
    await fails(file.unlock(), "BadResource");
  });
}

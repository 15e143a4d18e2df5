// Copies trees and a large file both ways and does what goes wrong on the way. Prints figures as JSON.
// FILES and MEGABYTES set the sizes.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import * as local from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { errors, Sandbox } from "@paddock/sandbox";

const files = Number(process.env.FILES ?? 2000);
const megabytes = Number(process.env.MEGABYTES ?? 100);
const MiB = 1024 * 1024;

/** Every entry below a directory with what must survive a copy. */
async function manifest(root, name = "", into = {}) {
  const path = join(root, name);
  const info = await local.lstat(path);
  const mode = (info.mode & 0o777).toString(8);
  if (info.isSymbolicLink()) into[name] = `link ${await local.readlink(path)}`;
  else if (info.isFile()) {
    const content = await local.readFile(path);
    into[name] = `file ${mode} ${createHash("sha256").update(content).digest("hex")}`;
  } else {
    into[name] = `directory ${mode}`;
    for (const entry of await local.readdir(path)) await manifest(root, join(name, entry), into);
  }
  return into;
}

async function makeTree(root) {
  await local.mkdir(join(root, "strange", "empty"), { recursive: true });
  for (const name of ["a\nb", "-rf", "ü ☃", "quote'\"", ".hidden", "sp ace"]) {
    await local.writeFile(join(root, "strange", name), name, { mode: 0o600 });
  }
  await local.writeFile(join(root, "strange", "run.sh"), "#!/bin/sh\necho ran\n");
  await local.chmod(join(root, "strange", "run.sh"), 0o755);
  await local.writeFile(join(root, "strange", "nothing"), "");
  await local.symlink("../strange/run.sh", join(root, "strange", "link"));
  const deep = join(root, ..."deep".repeat(10).match(/.{1,4}/g));
  await local.mkdir(deep, { recursive: true });
  await local.writeFile(join(deep, "bottom"), "x".repeat(70_000));
  for (let i = 0; i < files; i++) {
    const folder = join(root, `d${i % 50}`);
    if (i < 50) await local.mkdir(folder);
    await local.writeFile(join(folder, `f${i}`), `${i} `.repeat(i % 300));
  }
  await local.chmod(join(root, "strange"), 0o550);
}

async function digest(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

async function timed(work) {
  const started = performance.now();
  await work();
  return Math.round(performance.now() - started);
}

const partsIn = async (sandbox, path) =>
  (await sandbox.sh`find ${path} -name .paddock-* | wc -l`.text()).trim();

const steps = {
  async tree(sandbox, dir, results) {
    const here = join(dir, "tree");
    await makeTree(here);
    const expected = await manifest(here);
    let seen;
    const onProgress = (progress) => seen = progress;
    results.treeUpMs = await timed(() => sandbox.fs.upload(here, "tree", { onProgress }));
    assert.equal(seen.entries, Object.keys(expected).length);
    const ran = await sandbox.sh`tree/strange/link; stat -c %a tree/strange`.text();
    assert.equal(ran, "ran\n550\n");
    const back = join(dir, "back");
    results.treeDownMs = await timed(() => sandbox.fs.download("tree", back, { onProgress }));
    assert.equal(seen.entries, Object.keys(expected).length);
    assert.deepEqual(await manifest(back), expected);
    // Again, over what is there: the same.
    await sandbox.fs.upload(here + "/.", "tree");
    await sandbox.fs.upload(join(here, "d1"), "tree");
    await sandbox.fs.download("tree/d1", back);
    assert.deepEqual(await manifest(back), expected);
  },

  async large(sandbox, dir, results) {
    const path = join(dir, "large");
    const file = await local.open(path, "w");
    const chunk = new Uint8Array(MiB);
    for (let i = 0; i < megabytes; i++) {
      chunk.fill(i & 255);
      chunk[i % MiB] ^= 1;
      await file.write(chunk);
    }
    await file.close();
    const expected = await digest(path);
    const before = process.memoryUsage().rss;
    let peak = before;
    const watch = setInterval(() => peak = Math.max(peak, process.memoryUsage().rss), 50);
    results.largeUpMs = await timed(() => sandbox.fs.upload(path, "large"));
    assert.equal((await sandbox.sh`sha256sum large`.text()).slice(0, 64), expected);
    results.largeDownMs = await timed(() => sandbox.fs.download("large", join(dir, "large-back")));
    clearInterval(watch);
    assert.equal(await digest(join(dir, "large-back")), expected);
    results.clientGrowthMiB = Math.round((peak - before) / MiB);
  },

  async aborted(sandbox, dir) {
    const path = join(dir, "large");
    await sandbox.sh`mkdir part; echo before > part/kept`;
    for (const name of ["part/new", "part/kept"]) {
      const controller = new AbortController();
      const upload = sandbox.fs.upload(path, name, {
        signal: controller.signal,
        onProgress: ({ bytes }) => bytes > 8 * MiB && controller.abort(new Error("enough")),
      });
      await assert.rejects(upload, /enough/);
    }
    for (let i = 0; i < 100 && await partsIn(sandbox, "part") !== "0"; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(await sandbox.sh`ls -A part; cat part/kept`.text(), "kept\nbefore\n");
    const controller = new AbortController();
    const there = join(dir, "part");
    await local.mkdir(there);
    const download = sandbox.fs.download("large", join(there, "new"), {
      signal: controller.signal,
      onProgress: ({ bytes }) => bytes > 8 * MiB && controller.abort(new Error("enough")),
    });
    await assert.rejects(download, /enough/);
    assert.deepEqual(await local.readdir(there), []);
    assert.equal(await sandbox.sh`echo alive`.text(), "alive\n");
  },

  async refused(sandbox, dir) {
    const one = join(dir, "one");
    await local.writeFile(one, "1");
    await assert.rejects(sandbox.fs.upload(join(dir, "missing"), "x"), { code: "ENOENT" });
    await assert.rejects(sandbox.fs.download("missing", join(dir, "x")), errors.NotFound);
    await assert.rejects(sandbox.fs.upload(one, "/root/one"), errors.PermissionDenied);
    await assert.rejects(sandbox.fs.upload(one, "/etc/one"), (error) => {
      assert.ok(error instanceof errors.PermissionDenied && error.message.includes("/etc/one"));
      return true;
    });
    await assert.rejects(sandbox.fs.upload(one, "no/such/place"), errors.NotFound);
    await sandbox.sh`echo file > afile; mkdir closed; echo x > closed/f; chmod 0 closed/f`;
    await assert.rejects(sandbox.fs.upload(dir, "afile/below"), errors.NotADirectory);
    await assert.rejects(
      sandbox.fs.download("closed", join(dir, "closed")),
      errors.PermissionDenied,
    );
    await assert.rejects(sandbox.fs.download("large", join(dir, "no", "such")), { code: "ENOENT" });
    await sandbox.sh`mkdir special; mkfifo special/p`;
    await assert.rejects(sandbox.fs.download("special", join(dir, "special")), {
      code: "NOT_A_FILE",
    });
    await sandbox.fs.download("/proc/version", join(dir, "version"));
    assert.match(await local.readFile(join(dir, "version"), "utf8"), /^Linux/);
    await sandbox.fs.upload(one, "/dev/null");
    assert.equal(await sandbox.sh`test -c /dev/null && echo device`.text(), "device\n");
  },

  /** What one side has prepared does not lead the other's files astray. */
  async astray(sandbox, dir) {
    await sandbox.sh`mkdir outside evil; ln -s /etc/passwd evil/absolute`;
    await assert.rejects(sandbox.fs.download("evil", join(dir, "evil")), {
      name: "UnsafePathError",
    });
    await sandbox.sh`mkdir up; ln -s ../../x up/relative`;
    await assert.rejects(sandbox.fs.download("up", join(dir, "up")), { name: "UnsafePathError" });
    const first = join(dir, "first");
    const second = join(dir, "second");
    await local.mkdir(first);
    await local.symlink("/home/sandbox/outside", join(first, "d"));
    await local.symlink("/home/sandbox/outside/f", join(first, "f"));
    await sandbox.fs.upload(first, "target");
    await local.mkdir(join(second, "d"), { recursive: true });
    await local.writeFile(join(second, "d", "evil"), "evil");
    await assert.rejects(sandbox.fs.upload(second + "/d", "target"), errors.NotADirectory);
    await local.rm(join(second, "d"), { recursive: true });
    await local.writeFile(join(second, "f"), "plain");
    await sandbox.fs.upload(join(second, "f"), "target/");
    assert.equal(await sandbox.sh`ls -A outside | wc -l`.text(), "0\n");
  },
};

const dir = await local.mkdtemp(join(tmpdir(), "paddock-transfer-"));
const sandbox = await Sandbox.create({ memory: "1GiB" });
try {
  const results = {};
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step(sandbox, dir, results);
    } catch (error) {
      throw new Error(`step ${name}`, { cause: error });
    }
  }
  console.log(JSON.stringify(results));
} finally {
  await sandbox.close();
  for (const tree of ["tree", "back"]) {
    await local.chmod(join(dir, tree, "strange"), 0o755).catch(() => {});
  }
  await local.rm(dir, { recursive: true, force: true });
}

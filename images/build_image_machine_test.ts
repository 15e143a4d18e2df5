import assert from "node:assert/strict";
import { join } from "node:path";
import { ensureImage, type GuestImage, imageIsBuilt } from "./build_image.ts";
import type { GuestFile } from "./guest_files.ts";
import { readManifest } from "./image_store.ts";
import { runChild } from "./run_child.ts";
import { repositoryRoot } from "./repository_root.ts";

// A build of the base tree downloads Debian, so these tests take the one that setup has built and
// make images of their own from it, in a data directory on the same filesystem.

const text = (value: string) => new TextEncoder().encode(value);

function files(content: string): GuestFile[] {
  return [
    { path: "/opt/paddock/agent.js", content: text(content), mode: 0o644 },
    { path: "/usr/bin/sudo", content: text("#!/bin/sh\n"), mode: 0o755 },
  ];
}

async function temporaryDataDir(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "paddock-images-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function inGuest(image: GuestImage, ...command: string[]): Promise<string> {
  // The image itself is never written to. The mounts are in a namespace of the child's own.
  const script = `set -e
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/upper /mnt/work /mnt/root
    mount -t overlay -o "lowerdir=$0,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
    mount -t proc proc /mnt/root/proc
    exec chroot --userspec=1000:1000 --groups=1000 /mnt/root "$@"`;
  const run = ["sh", "-c", script, image.rootfs, ...command];
  const env = { PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/bin", HOME: "/home/sandbox" };
  return (await runChild(run, { timeoutMs: 60_000, env })).join("\n");
}

Deno.test("the guest has every program it is to have, and a user who can work", async () => {
  const image = await ensureImage({ dataDir: "/var/lib/paddock" });
  const versions: [RegExp, string[]][] = [
    [/^deno 2\./, ["deno", "--version"]],
    [/^v24\./, ["node", "--version"]],
    [/^\d+\./, ["npm", "--version"]],
    [/^\d+\./, ["npx", "--version"]],
    [/^git version/, ["git", "--version"]],
    [/^Python 3/, ["python3", "--version"]],
    [/^curl /, ["curl", "--version"]],
    [/bash, version 5/, ["bash", "--version"]],
    [/^less /, ["less", "--version"]],
    [/^ps from procps/, ["ps", "--version"]],
    [/tini version/, ["/usr/bin/tini", "--version"]],
    [/uid=1000\(sandbox\) gid=1000\(sandbox\)/, ["id"]],
  ];
  for (const [pattern, command] of versions) {
    assert.match(await inGuest(image, ...command), pattern, command.join(" "));
  }
  const where = ["/app", "/home/app", "/home/sandbox"];
  await inGuest(image, "bash", "-c", `for d in ${where.join(" ")}; do test -w $d || exit 1; done`);
  await assert.rejects(inGuest(image, "test", "-w", "/usr/bin"));
  for (const path of ["usr/bin/deno", "usr/bin/sudo", "opt/paddock/agent.js", "etc/resolv.conf"]) {
    assert((await Deno.stat(join(image.rootfs, path))).isFile, path);
  }
  for (const empty of ["var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "tmp"]) {
    assert.deepEqual([...Deno.readDirSync(join(image.rootfs, empty))], [], empty);
  }
  const host = await Deno.readTextFile("/etc/ssl/certs/ca-certificates.crt");
  const bundle = join(image.rootfs, image.manifest.env.SSL_CERT_FILE);
  assert.equal(await Deno.readTextFile(bundle), host);
});

Deno.test("the same inputs are the same image; a change of one is another", async () => {
  await using dir = await temporaryDataDir();
  const dataDir = dir.path;
  const one = await ensureImage({ dataDir, files: files("one") });
  const again: string[] = [];
  const same = await ensureImage({
    dataDir,
    files: files("one"),
    onProgress: ({ what }) => again.push(what),
  });
  assert.deepEqual(same, one);
  assert.deepEqual(again, [], "nothing is built twice");
  const two = await ensureImage({ dataDir, files: files("two") });
  assert.notEqual(two.digest, one.digest);
  assert.equal(two.manifest.base, one.manifest.base);
  const debian = await ensureImage({ dataDir, files: files("one"), trust: "debian" });
  assert.notEqual(debian.digest, one.digest);
  assert.deepEqual(debian.manifest.env, {});
  // The first image is as it was, although the trees share their inodes.
  assert.equal(await Deno.readTextFile(join(one.rootfs, "opt/paddock/agent.js")), "one");
  assert.equal(await Deno.readTextFile(join(two.rootfs, "opt/paddock/agent.js")), "two");
  const inode = async (image: GuestImage, path: string) =>
    (await Deno.stat(join(image.rootfs, path))).ino;
  assert.equal(await inode(one, "usr/bin/deno"), await inode(two, "usr/bin/deno"));
  assert.notEqual(
    await inode(debian, "etc/ssl/certs/ca-certificates.crt"),
    await inode(one, "etc/ssl/certs/ca-certificates.crt"),
  );
});

Deno.test("two builders at once make one image", async () => {
  await using dir = await temporaryDataDir();
  const build = () => buildInChild(dir.path);
  const outputs = await Promise.all([build(), build(), build()]);
  const digests = new Set(outputs.map((output) => output.digest));
  assert.equal(digests.size, 1);
  assert.deepEqual(outputs.filter((output) => output.built).length, 1);
});

Deno.test("a build that is killed leaves nothing that counts, and the next one cleans up", async () => {
  await using dir = await temporaryDataDir();
  const images = join(dir.path, "images");
  // Another mirror is another base tree: this build starts mmdebstrap, at an address nobody answers.
  const child = builder(dir.path, { PADDOCK_DEBIAN_MIRROR: "http://192.0.2.1/debian" });
  const running = await until(async () => await descendantOf(child.pid, "mmdebstrap"));
  child.kill("SIGKILL");
  await child.output();
  await until(async () => !await isRunning(running));
  const halfBuilt = () =>
    [...Deno.readDirSync(images)].filter(({ name }) => name.startsWith(".tmp-"));
  assert.equal(halfBuilt().length, 1);
  const options = { dataDir: dir.path, files: files("after") };
  assert.equal((await imageIsBuilt(options)).built, false);
  const image = await ensureImage(options);
  assert.deepEqual(halfBuilt(), []);
  assert.equal(
    (await readManifest<{ digest: string }>(join(images, image.digest)))?.digest,
    image.digest,
  );
});

Deno.test("an aborted build ends at once and takes its files along", async () => {
  await using dir = await temporaryDataDir();
  const stop = new AbortController();
  const reason = new Error("enough");
  const build = ensureImage({
    dataDir: dir.path,
    files: files("aborted"),
    mirror: "http://192.0.2.1/debian",
    signal: stop.signal,
    onProgress: () => setTimeout(() => stop.abort(reason), 300),
  });
  const started = performance.now();
  await assert.rejects(build, reason);
  assert(performance.now() - started < 3_000, "the build ended late");
  const left = [...Deno.readDirSync(join(dir.path, "images"))].map(({ name }) => name).sort();
  assert.deepEqual(left, [".base", ".lock"]);
});

Deno.test("a build that fails says what failed", async () => {
  await using dir = await temporaryDataDir();
  const build = ensureImage({
    dataDir: dir.path,
    files: files("failed"),
    mirror: "file:///nowhere",
  });
  await assert.rejects(build, (error: Error & { code?: string; hint?: string }) => {
    assert.equal(error.code, "IMAGE_BUILD_FAILED");
    assert.match(error.message, /mmdebstrap ended with code/);
    assert.match(error.hint ?? "", /PADDOCK_DEBIAN_MIRROR/);
    return true;
  });
});

const builderSource = `
import { ensureImage } from "${repositoryRoot}images/build_image.ts";
const content = new TextEncoder().encode("built by a child");
let built = false;
const image = await ensureImage({
  dataDir: Deno.args[0],
  files: [{ path: "/opt/paddock/agent.js", content, mode: 0o644 }],
  onProgress: ({ percent }) => built ||= percent === 100,
});
console.log(JSON.stringify({ digest: image.digest, built }));
`;

function builder(dataDir: string, env: Record<string, string> = {}): Deno.ChildProcess {
  const source = join(dataDir, `builder-${crypto.randomUUID()}.ts`);
  Deno.writeTextFileSync(source, builderSource);
  const config = join(repositoryRoot, "deno.json");
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `--config=${config}`, source, dataDir],
    env,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function buildInChild(dataDir: string): Promise<{ digest: string; built: boolean }> {
  const { stdout, stderr, success } = await builder(dataDir).output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function until<T>(probe: () => Promise<T | undefined | false>): Promise<T> {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    const value = await probe();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("waited 30 s in vain");
}

async function isRunning(pid: number): Promise<boolean> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
}

async function descendantOf(ancestor: number, program: string): Promise<number | undefined> {
  const children = async (pid: number): Promise<number[]> => {
    const tasks = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
    return tasks.trim().split(" ").filter(Boolean).map(Number);
  };
  const queue = [ancestor];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    const command = (await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "")).split("\0");
    if (command.slice(0, 2).some((word) => word.endsWith(program))) return pid;
    queue.push(...await children(pid));
  }
}

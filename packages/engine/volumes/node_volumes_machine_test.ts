import { strict as assert } from "node:assert";
import { runCommand } from "@paddock/driver";
import { PaddockError } from "@paddock/protocol";
import { ensureImage } from "../../../images/build_image.ts";
import type { RunningSandbox } from "../engine.ts";
import { type EngineBench, sandboxSpec, startBench } from "../testing/engine_bench.ts";
import { guestShell } from "../testing/guest_shell.ts";
import { leftovers } from "../testing/leftovers.ts";
import { createMemoryVolumeStore } from "./memory_volume_store.ts";
import type { StoredVolume } from "./volume_store.ts";

const MiB = 1024 * 1024;
const soon = () => AbortSignal.timeout(120_000);

async function bench(limits: Record<string, number> = {}): Promise<EngineBench> {
  const { digest, rootfs, manifest } = await ensureImage({
    dataDir: "/var/lib/paddock",
    trust: "host",
  });
  return await startBench({
    image: { digest, rootfs, env: manifest.env },
    volumeStore: createMemoryVolumeStore(),
    limits: { hostFreeDiskBytes: 0, ...limits },
    prewarmSlots: 0,
  });
}

interface More {
  slug?: string;
  capacityBytes?: number;
  from?: "builtin" | { snapshotId: string };
}

function makeVolume({ engine }: EngineBench, more: More = {}): Promise<StoredVolume> {
  const spec = { organizationId: "test", region: "ord", slug: "data", capacityBytes: 64 * MiB };
  return engine.volumes.create({ ...spec, ...more }, soon());
}

function start({ engine }: EngineBench, more: Parameters<typeof sandboxSpec>[0]) {
  return engine.create(sandboxSpec(more), soon());
}

const at = (path: string, { id }: StoredVolume) => [{ volumeId: id, path }];

/** Runs in the guest as root; answers what it printed. */
const asRoot = (sandbox: RunningSandbox, script: string) =>
  guestShell(sandbox, `sudo bash -c ${quote(script)}`);
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

const refusedWith = (code: string, text?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof PaddockError, String(error));
  assert.equal(error.code, code, String(error.cause ?? error));
  if (text) assert.match(error.message, text);
  return true;
};

Deno.test("a volume keeps what a sandbox wrote, without a sync, until another one reads it", async () => {
  await using node = await bench();
  const volume = await makeVolume(node);
  const before = await node.engine.volumes.size(volume);
  const first = await start(node, { volumes: at("/data/deep", volume) });
  const wrote = await guestShell(
    first,
    `cd /data/deep && ls -A && id -un > who && mkdir -p a/b && echo text > a/b/c && ln -s a/b/c link &&
     head -c 8000000 /dev/urandom > big && sha256sum big > sum && sudo chown 33:44 a/b/c &&
     echo one > appended && for i in 1 2 3; do echo $i >> appended; done && cat appended > /dev/null &&
     python3 - <<'PY'
import mmap
with open("mapped", "w+b") as f:
    f.truncate(8192)
    with mmap.mmap(f.fileno(), 8192) as m: m[5000:5005] = b"hello"
with open("appended", "r+") as f:
    f.read()
with open("appended", "ab", 0) as f:
    f.write(b"last\\n")
PY
     stat -c %U /data/deep; df -k --output=size . | tail -1`,
  );
  const [owner, kilobytes] = wrote.trim().split("\n");
  assert.equal(owner, "sandbox", wrote);
  assert.ok(Number(kilobytes) > 45_000 && Number(kilobytes) <= 65_536, wrote);
  await first.kill();
  assert.deepEqual(node.logged, []);
  const after = await node.engine.volumes.size(volume);
  assert.ok(after.flattened - before.flattened >= 8_000_000, "the file grew with what was written");
  const second = await start(node, { volumes: at("/other", volume) });
  assert.equal(
    await guestShell(
      second,
      `cd /other && sha256sum -c sum && cat link who && stat -c %u:%g a/b/c && cat appended &&
       dd if=mapped bs=1 skip=5000 count=5 status=none; echo; ls -A`,
    ),
    "big: OK\ntext\nsandbox\n33:44\none\n1\n2\n3\nlast\nhello\na\nappended\nbig\nlink\nmapped\nsum\nwho\n",
  );
  await second.kill();
  assert.deepEqual(
    (await leftovers(node.dataDir)).filter((line) => /loop|mount|process/.test(line)),
    [],
  );
});

Deno.test("what a guest has synced is in the image at once, for a crash to find", async () => {
  await using node = await bench();
  const volume = await makeVolume(node);
  const sandbox = await start(node, { volumes: at("/data", volume) });
  const file = `${node.dataDir}/volumes/${volume.id}.img`;
  await guestShell(sandbox, "echo finished > /data/f && sync /data/f && sync");
  // What a crash would leave on the disk, as far as can be seen from here: the image while it is in use.
  const crashed = `${node.dataDir}/crashed.img`;
  await runCommand(["cp", "--sparse=always", file, crashed]);
  const check = await runCommand(["e2fsck", "-p", crashed]);
  assert.ok(check.code <= 1, check.stdout);
  const read = await runCommand(["debugfs", "-R", "cat /f", crashed]);
  assert.equal(read.stdout, "finished\n");
});

Deno.test("a volume has one writer, whose id the next one is told", async () => {
  await using node = await bench();
  const volume = await makeVolume(node);
  const first = await start(node, { volumes: at("/data", volume) });
  const told = refusedWith("VOLUME_IN_USE", new RegExp(first.spec.id));
  await assert.rejects(start(node, { volumes: at("/data", volume) }), told);
  await assert.rejects(node.engine.volumes.remove(volume.id), told);
  await assert.rejects(node.engine.volumes.snapshot(volume.id, { slug: "no" }, soon()), told);
  const twice = [...at("/a", volume), ...at("/b", volume)];
  await assert.rejects(start(node, { volumes: twice }), refusedWith("VOLUME_IN_USE"));
  await first.kill();
  const next = await start(node, { volumes: at("/data", volume) });
  await next.kill();
  await node.engine.volumes.remove(volume.id);
  await assert.rejects(
    start(node, { volumes: at("/data", volume) }),
    refusedWith("VOLUME_NOT_FOUND"),
  );
  assert.deepEqual([...Deno.readDirSync(`${node.dataDir}/volumes`)].map(({ name }) => name), [
    ".base",
  ]);
});

Deno.test("another organisation's volume is as one that does not exist", async () => {
  await using node = await bench();
  const volume = await makeVolume(node);
  await assert.rejects(
    start(node, { organizationId: "other", volumes: at("/data", volume) }),
    refusedWith("VOLUME_NOT_FOUND"),
  );
  const mine = await start(node, { volumes: at("/data", volume) });
  await mine.kill();
});

Deno.test("a full volume is an error in the guest and nothing else", async () => {
  await using node = await bench();
  const volume = await makeVolume(node);
  const sandbox = await start(node, { volumes: at("/data", volume) });
  const said = await guestShell(sandbox, "head -c 100M /dev/zero > /data/big; echo code=$?");
  assert.match(said, /No space left on device\ncode=1/);
  assert.equal(
    await guestShell(sandbox, "rm /data/big && echo more > /data/small && cat /data/small"),
    "more\n",
  );
  assert.equal(sandbox.state, "running");
  await sandbox.kill();
  assert.deepEqual(node.logged, []);
});

Deno.test("a bootable volume is the root: packages and users stay, the agent is the image's", async () => {
  await using node = await bench();
  const volume = await makeVolume(node, {
    ...{ slug: "root", from: "builtin", capacityBytes: 1536 * MiB },
  });
  assert.equal(volume.bootable, true);
  const first = await start(node, { root: volume.id });
  const installed = await asRoot(
    first,
    `set -e
     mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin && printf 'Package: paddock-test\\nVersion: 1\\nArchitecture: all\\n\
Maintainer: t <t@example.org>\\nDescription: t\\n' > /tmp/p/DEBIAN/control
     printf '#!/bin/sh\\necho packaged\\n' > /tmp/p/usr/bin/paddock-test && chmod 755 /tmp/p/usr/bin/paddock-test
     dpkg-deb -b /tmp/p /tmp/p.deb >/dev/null && apt-get install -y /tmp/p.deb >/dev/null 2>&1
     useradd -m ada && rm -r /usr/share/doc/bash && echo broken > /opt/paddock/agent.js || echo kept
     mv /srv /srv2 && chmod u+s /usr/bin/paddock-test && touch /etc/marker
     grep -c $(hostname) /etc/hosts && df -k --output=size / | tail -1`,
  );
  assert.match(installed, /Read-only file system\nkept\n1\n\s*1\d{6}/);
  await first.kill();
  const second = await start(node, { root: volume.id });
  assert.equal(
    await asRoot(
      second,
      `paddock-test; id -un ada; dpkg-query -W -f='\${Status}\\n' paddock-test; ls -d /usr/share/doc/bash /srv
       stat -c '%a %u' /usr/bin/paddock-test /home/ada; cat /etc/hosts | grep -c $(hostname); hostname`,
    ),
    "packaged\nada\ninstall ok installed\n" +
      "ls: cannot access '/usr/share/doc/bash': No such file or directory\n" +
      "ls: cannot access '/srv': No such file or directory\n" +
      `4755 0\n700 1001\n1\n${second.spec.id.replaceAll("_", "-")}\n`,
  );
  await second.kill();
  assert.deepEqual(node.logged, []);
});

Deno.test("a guest's links in its root lead nowhere on the host", async () => {
  await using node = await bench();
  const volume = await makeVolume(node, {
    ...{ slug: "root", from: "builtin", capacityBytes: 1024 * MiB },
  });
  const data = await makeVolume(node);
  const outside = await Deno.makeTempDir({ prefix: "paddock-outside-" });
  try {
    const first = await start(node, { root: volume.id });
    await asRoot(
      first,
      `rm -f /etc/hosts.keep; ln -s ${outside} /data; mkdir /x; ln -s / /x/y
       umount /etc/hostname; mv /etc/hostname /etc/hostname.old; ln -s ${outside}/name /etc/hostname; true`,
    );
    await first.kill();
    for (const path of ["/data/inner", "/x/y/sub"]) {
      const second = await start(node, { root: volume.id, volumes: at(path, data) });
      assert.match(await guestShell(second, `echo kept > ${path}/f && cat ${path}/f`), /kept/);
      await second.kill();
    }
    assert.deepEqual([...Deno.readDirSync(outside)], []);
  } finally {
    await Deno.remove(outside, { recursive: true });
  }
  assert.deepEqual(node.logged, []);
});

Deno.test("a snapshot: read-only roots at once, and volumes that go their own way", async () => {
  await using node = await bench();
  const volume = await makeVolume(node, {
    ...{ slug: "root", from: "builtin", capacityBytes: 1024 * MiB },
  });
  const first = await start(node, { root: volume.id });
  await asRoot(first, "echo snapped > /etc/marker; echo x > /home/sandbox/f");
  await first.kill();
  const snapshot = await node.engine.volumes.snapshot(volume.id, { slug: "snap" }, soon());
  assert.deepEqual(
    [snapshot.kind, snapshot.bootable, snapshot.origin?.slug, snapshot.capacityBytes],
    ["snapshot", true, "root", 1024 * MiB],
  );
  const data = await makeVolume(node);
  const roots = await Promise.all([
    start(node, { root: snapshot.id, volumes: at("/data", data) }),
    start(node, { root: snapshot.id }),
  ]);
  for (const sandbox of roots) {
    assert.equal(await asRoot(sandbox, "cat /etc/marker; echo mine >> /etc/marker"), "snapped\n");
  }
  assert.equal(await guestShell(roots[0], "echo d > /data/d; cat /data/d"), "d\n");
  await assert.rejects(node.engine.volumes.remove(snapshot.id), refusedWith("VOLUME_IN_USE"));
  await Promise.all(roots.map((sandbox) => sandbox.kill()));
  const copy = await makeVolume(node, {
    ...{ slug: "copy", from: { snapshotId: snapshot.id }, capacityBytes: 1536 * MiB },
  });
  assert.deepEqual([copy.bootable, copy.origin?.slug], [true, "snap"]);
  const own = await start(node, { root: copy.id });
  assert.equal(await asRoot(own, "cat /etc/marker; echo changed > /etc/marker"), "snapped\n");
  assert.match(await guestShell(own, "df -k --output=size / | tail -1"), /^\s*1[45]\d{5}$/m);
  await own.kill();
  await node.engine.volumes.remove(volume.id);
  const again = await start(node, { root: snapshot.id });
  assert.equal(await guestShell(again, "cat /etc/marker"), "snapped\n");
  await again.kill();
  // Also as a volume among others, which nobody writes.
  const beside = await start(node, { volumes: at("/old", snapshot) });
  assert.equal(
    await guestShell(beside, "cat /old/etc/marker; touch /old/home/sandbox/g; cat /etc/marker"),
    "snapped\ntouch: cannot touch '/old/home/sandbox/g': Read-only file system\n" +
      "cat: /etc/marker: No such file or directory\n",
  );
  await beside.kill();
  assert.deepEqual(node.logged, []);
});

Deno.test("what cannot be is refused, and leaves nothing", async () => {
  await using node = await bench({ volumesPerOrganization: 2 });
  const volume = await makeVolume(node);
  await assert.rejects(makeVolume(node), refusedWith("SLUG_TAKEN"));
  await assert.rejects(start(node, { root: volume.id }), refusedWith("VOLUME_NOT_BOOTABLE"));
  for (const path of ["relative", "/proc/x", "/opt/paddock/x", "/a/../b", "/"]) {
    await assert.rejects(start(node, { volumes: at(path, volume) }), refusedWith("INVALID_CONFIG"));
  }
  const snapshot = await node.engine.volumes.snapshot(volume.id, { slug: "snap" }, soon());
  await assert.rejects(makeVolume(node, { slug: "third" }), refusedWith("TOO_MANY_VOLUMES"));
  const from = { snapshotId: snapshot.id };
  await assert.rejects(
    makeVolume(node, { slug: "small", from, capacityBytes: 32 * MiB }),
    refusedWith("INVALID_REQUEST", /capacity/),
  );
  await assert.rejects(
    makeVolume(node, { slug: "aa", from: { snapshotId: volume.id } }),
    refusedWith("INVALID_REQUEST", /from/),
  );
  // What was refused holds nothing.
  await node.engine.volumes.remove(snapshot.id);
  await node.engine.volumes.remove(volume.id);
});

Deno.test("a host without room: a clear error, and nothing half made", async () => {
  await using node = await bench();
  const volume = await makeVolume(node);
  const small = await Deno.makeTempDir({ prefix: "paddock-small-disk-" });
  const mounted = await runCommand(["mount", "-t", "tmpfs", "-o", "size=256m", "small", small]);
  assert.ok(mounted.ok, mounted.stderr);
  try {
    await using tight = await startBench({
      image: { digest: "none", rootfs: "/usr/share/zoneinfo" },
      dataDir: small,
      limits: { hostFreeDiskBytes: 0 },
      prewarmSlots: 0,
    });
    const source = await makeVolume(tight, { capacityBytes: 512 * MiB });
    await Deno.writeFile(`${small}/filler`, new Uint8Array(150 * MiB));
    const file = `${small}/volumes/${source.id}.img`;
    using image = await Deno.open(file, { write: true });
    await image.seek(300 * MiB, Deno.SeekMode.Start);
    await image.write(new Uint8Array(60 * MiB));
    // The check before finds too little; with that out of the way, so does the copy itself.
    await assert.rejects(
      tight.engine.volumes.snapshot(source.id, { slug: "snap" }, soon()),
      refusedWith("DISK_FULL", /bytes of disk left/),
    );
    assert.deepEqual(
      [...Deno.readDirSync(`${small}/volumes`)].map(({ name }) => name).sort(),
      [".base", `${source.id}.img`],
    );
    assert.deepEqual(tight.logged, []);
  } finally {
    await runCommand(["umount", "-l", small]);
    await Deno.remove(small);
  }
  await node.engine.volumes.remove(volume.id);
});

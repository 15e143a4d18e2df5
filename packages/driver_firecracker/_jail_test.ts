import { strict as assert } from "node:assert";
import { Jail } from "./_jail.ts";
import { launchArguments } from "./_launch_command.ts";

const options = {
  id: "sbx_ord_0123456789abcdefghjk",
  firecracker: "/opt/fc/firecracker",
  jailer: "/opt/fc/jailer",
  uid: 1_879_048_199,
  netns: "/run/netns/pd7",
};

Deno.test("jail: the jailer gets a chroot, a user and a namespace of the machine's own", () => {
  const jail = new Jail({ ...options, workDir: "/data/sandboxes/one" });
  const words = jail.jailerArguments();
  const own = words.slice(0, words.indexOf("--"));
  const value = (name: string) => own[own.indexOf(name) + 1];
  assert.equal(own[0], "/opt/fc/jailer");
  // The jailer takes no underscore.
  assert.equal(value("--id"), "sbx-ord-0123456789abcdefghjk");
  assert.equal(value("--exec-file"), "/opt/fc/firecracker");
  assert.equal(value("--uid"), "1879048199");
  assert.equal(value("--gid"), "1879048199");
  assert.equal(value("--chroot-base-dir"), "/data/sandboxes/one/jail");
  assert.equal(value("--netns"), "/run/netns/pd7");
  assert.equal(
    jail.root,
    "/data/sandboxes/one/jail/firecracker/sbx-ord-0123456789abcdefghjk/root",
  );
  // The engine's cgroup is joined before; the jailer would make one of its own beside it.
  assert.deepEqual(words.filter((word) => word.includes("cgroup")), []);
  // Firecracker's own filter of system calls is on unless it is told otherwise.
  assert.deepEqual(words.filter((word) => word.includes("seccomp")), []);
});

Deno.test("jail: a machine without a network joins no namespace", () => {
  const { netns: _none, ...rest } = options;
  const words = new Jail({ ...rest, workDir: "/data" }).jailerArguments();
  assert.ok(!words.includes("--netns"));
});

Deno.test("jail: files have their places, and odd paths survive the mount table", async () => {
  const workDir = await Deno.makeTempDir({ prefix: "paddock jail-" });
  try {
    const jail = new Jail({ ...options, workDir });
    await jail.prepare([
      { source: "/a b/kernel", target: "/vmlinux", readOnly: true },
      { source: "/disk", target: "/disk.ext4", readOnly: false },
    ]);
    const [first, second, third] = (await Deno.readTextFile(jail.fstab)).trim().split("\n");
    const root = jail.root.replaceAll(" ", "\\040");
    assert.equal(first, `/a\\040b/kernel ${root}/vmlinux none bind,ro,nosuid,nodev,noexec 0 0`);
    assert.equal(second, `/disk ${root}/disk.ext4 none bind,rw,nosuid,nodev,noexec 0 0`);
    const snapshots = jail.snapshots.replaceAll(" ", "\\040");
    assert.equal(third, `${snapshots} ${root}/snapshots none bind,nosuid,nodev,noexec 0 0`);
    assert.ok((await Deno.stat(jail.path("/vmlinux"))).isFile);
    assert.equal((await Deno.stat(jail.root)).mode! & 0o777, 0o700);
  } finally {
    await Deno.remove(workDir, { recursive: true });
  }
});

Deno.test("launch: everything is an argument of its own, none is text of the script", () => {
  const evil = '/data/$(touch /tmp/x)"; exit';
  const words = launchArguments({
    cgroupDirectories: ["/sys/fs/cgroup/a", "/sys/fs/cgroup/b"],
    netns: "/run/netns/one",
    fstab: evil,
    jailer: ["/jailer", "--id", "x"],
  });
  assert.equal(words[0], "-c");
  assert.ok(!words[1].includes("touch"));
  assert.deepEqual(words.slice(2, 5), [
    "paddock-launch",
    "/sys/fs/cgroup/a /sys/fs/cgroup/b",
    "/run/netns/one",
  ]);
  assert.deepEqual(words.slice(-4), [evil, "/jailer", "--id", "x"]);
});

import { strict as assert } from "node:assert";
import type { LaunchSpec } from "../driver.ts";
import { launchConfig, type MachineEnd } from "./launch_config.ts";

const end: MachineEnd = { by: "o", wish: "serial" };

const spec: LaunchSpec = {
  id: "sbx_test",
  image: { digest: "d", rootfs: "/r" },
  layers: "/l",
  diskImage: "/d",
  workDir: "/w",
  hostname: "sbx-test",
  resolvConf: "nameserver 192.0.2.53\n",
  hosts: "127.0.0.1 localhost\n10.1.2.3 sbx-test\n",
  network: {
    ...{ index: 1, namespace: "n", guestAddress: "10.1.2.3", gateway: "10.1.2.2" },
    prefixLength: 30,
  },
  cgroup: { version: 1, path: "p" },
  memoryBytes: 1,
  logBytes: 1,
  init: {
    args: ["/bin/echo", "it's", "$(reboot)", "two\nlines"],
    env: { TOKEN: `a'b"c`, "not.a-name": "`x`" },
    cwd: "/home/some one",
  },
};

Deno.test("launch configuration: a shell passes arguments and environment on as they are", async () => {
  const text = new TextDecoder().decode(launchConfig(spec, end));
  const start = text.slice(text.indexOf("rm -rf"), text.indexOf("\0", text.indexOf("rm -rf")));
  const script = start.replace(/^rm .*$/m, "").replace(/^ulimit .*$/m, "")
    .replace(/^cd .*$/m, "").replace("exec env -i", "exec printf '<%s>'");
  const run = await new Deno.Command("sh", {
    args: ["-c", script.slice(0, script.lastIndexOf("'") + 1)],
  })
    .output();
  assert.equal(
    new TextDecoder().decode(run.stdout),
    "<TOKEN=a'b\"c><not.a-name=`x`></bin/echo><it's><$(reboot)><two\nlines>",
  );
  assert.match(start, /^cd '\/home\/some one'/m);
});

Deno.test("launch configuration: inside, the host's name leads to the guest's own address", () => {
  const text = new TextDecoder().decode(launchConfig(spec, end));
  assert.match(text, /100\.127\.255\.2 sbx-test/);
  assert.doesNotMatch(text, /10\.1\.2\.3/);
});

Deno.test("launch configuration: what no shell can carry is refused", () => {
  const init = { ...spec.init, args: ["a\0b"] };
  assert.throws(() => launchConfig({ ...spec, init }, end), TypeError);
});

Deno.test("launch configuration: volumes come after the layers, a root of its own before them", () => {
  const text = (more: Partial<LaunchSpec>) =>
    new TextDecoder().decode(launchConfig({ ...spec, ...more }, end));
  const volumes = [
    { image: "/i", path: "/a b ", readOnly: false },
    { image: "/j", path: "/c", readOnly: true },
  ];
  const both = text({ volumes, rootVolume: { image: "/r", readOnly: true } });
  assert.match(both, /^root_volume_drive='vdd'\nroot_volume_mode='ro'\nvolume_drives='vde vdf'$/m);
  assert.match(both, /vde\nrw\n\/a b \nvdf\nro\n\/c\n/);
  assert.match(
    text({ volumes }),
    /^root_volume_drive=''\nroot_volume_mode=''\nvolume_drives='vdd vde'$/m,
  );
  assert.match(text({}), /^volume_drives=''$/m);
});

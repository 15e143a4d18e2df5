import { strict as assert } from "node:assert";
import {
  createVolumeImage,
  type LaunchSpec,
  lengthenVolumeImage,
  wasCutOff,
} from "@paddock/driver";
import { ConformanceHost } from "../driver/conformance_host.ts";
import { registerVolumeConformance } from "../driver/conformance_volumes.ts";
import { ensureImage } from "../../images/build_image.ts";
import { ensureVmGuest } from "../../images/vm/vm_guest.ts";
import { MOST_VOLUMES } from "./machine_arguments.ts";
import { createQemuDriver } from "./qemu_driver.ts";

const MiB = 1024 * 1024;
const dataDir = "/var/lib/paddock";
const boot = await ensureVmGuest({ dataDir });
const createDriver = (stateDir: string) =>
  createQemuDriver({ stateDir, cacheDir: `${dataDir}/vm-layers`, boot });
const getImage = () => ensureImage({ dataDir, trust: "host" });

registerVolumeConformance({
  name: "qemu",
  createDriver,
  isVital: (commandLine) => commandLine.startsWith("/qemu "),
  image: getImage,
  bootMs: 120_000,
  ownKernel: true,
  mostVolumes: MOST_VOLUMES,
});

async function withVolume(
  body: (
    image: string,
    launch: (more?: Partial<LaunchSpec>) => ReturnType<typeof start>,
  ) => Promise<void>,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "paddock-qemu-volumes-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const image = `${directory}/v.img`;
  await createVolumeImage(image, 64 * MiB, { owner: { uid: 0, gid: 0 } });
  await Deno.mkdir(`${directory}/state`);
  const volumes = [{ image, path: "/data", readOnly: false }];
  await body(image, (more) => start(stack, `${directory}/state`, { volumes, ...more }));
}

async function start(stack: AsyncDisposableStack, stateDir: string, more: Partial<LaunchSpec>) {
  const driver = createDriver(stateDir);
  const { machineMemoryBytes } = driver.traits;
  const host = stack.use(
    await ConformanceHost.create({ image: await getImage(), bootMs: 120_000, machineMemoryBytes }),
  );
  const machine = await driver.launch({ ...host.spec, ...more }, AbortSignal.timeout(60_000));
  stack.defer(() => machine.stop());
  return { host, machine };
}

Deno.test("qemu: a guest that cannot end in order is killed, and its filesystem recovers", () =>
  withVolume(async (image, launch) => {
    const first = await launch();
    await first.host.shell("echo synced > /data/f; sync; ps");
    assert.equal(await wasCutOff(image), true);
    // What listens for the host's wish.
    await first.host.shell("kill -9 $(pidof busybox)");
    await first.machine.stop();
    assert.equal(await wasCutOff(image), true);
    const second = await launch();
    assert.equal(await second.host.shell("cat /data/f"), "synced\n");
    await second.machine.stop();
    assert.equal(await wasCutOff(image), false);
  }));

Deno.test("qemu: a volume fills a file that has become longer, and gives back what is deleted", () =>
  withVolume(async (image, launch) => {
    const first = await launch();
    await first.host.shell("head -c 20000000 /dev/urandom > /data/f");
    await first.machine.stop();
    const before = (await Deno.stat(image)).blocks! * 512;
    await lengthenVolumeImage(image, 300 * MiB);
    const second = await launch({
      volumes: [{ image, path: "/volume at \\ 'path' ", readOnly: false }],
    });
    const size = Number(await second.host.shell("df -k --output=size /vol* | tail -1"));
    assert.ok(size > 270_000 && size < 308_000, `${size} kB\n${second.machine.console()}`);
    await second.host.shell("rm /vol*/f");
    await second.machine.stop();
    const after = (await Deno.stat(image)).blocks! * 512;
    assert.ok(before - after > 15_000_000, `${before} bytes before, ${after} after`);
  }));

import { strict as assert } from "node:assert";
import { ConformanceHost } from "./conformance_host.ts";
import type { ConformanceOptions } from "./conformance.ts";
import type { LaunchSpec, Machine } from "./driver.ts";
import { createVolumeImage } from "./volume_image.ts";

const MiB = 1024 * 1024;
const LAUNCH_MS = 30_000;
const owner = { uid: 0, gid: 0 };

interface Bench {
  directory: string;
  /** A machine that is this driver's, with these parts. */
  launch(more: Partial<LaunchSpec>): Promise<{ host: ConformanceHost; machine: Machine }>;
}

/**
 * Registers what every driver has to do with volumes. `mostVolumes`: those that a machine has places for, where
 * there is a bound.
 */
export function registerVolumeConformance(
  options: ConformanceOptions & { mostVolumes?: number },
): void {
  const test = (what: string, body: (bench: Bench) => Promise<void>) =>
    Deno.test(`${options.name}: ${what}`, async () => {
      await using stack = new AsyncDisposableStack();
      const directory = await Deno.makeTempDir({ prefix: "paddock-conformance-volumes-" });
      stack.defer(() => Deno.remove(directory, { recursive: true }));
      await Deno.mkdir(`${directory}/state`);
      const driver = options.createDriver(`${directory}/state`);
      const image = await options.image();
      const { machineMemoryBytes } = driver.traits;
      await body({
        directory,
        launch: async (more) => {
          const { bootMs } = options;
          const host = stack.use(
            await ConformanceHost.create({ image, bootMs, machineMemoryBytes }),
          );
          const machine = await driver.launch(
            { ...host.spec, ...more },
            AbortSignal.timeout(Math.max(LAUNCH_MS, bootMs ?? 0)),
          );
          stack.defer(() => machine.stop());
          return { host, machine };
        },
      });
    });

  test("a volume has what the guest wrote once its machine has stopped", async (bench) => {
    const image = `${bench.directory}/v.img`;
    await createVolumeImage(image, 64 * MiB, { owner });
    const volumes = [{ image, path: "/some/where", readOnly: false }];
    const first = await bench.launch({ volumes });
    assert.equal(
      await first.host.shell("cd /some/where && ls -A && echo kept > f && chown 7:8 f && cat f"),
      "kept\n",
    );
    assert.match(
      await first.host.shell("dd if=/dev/zero of=/some/where/big bs=1M"),
      /No space left/,
    );
    assert.equal(
      (await first.host.shell("rm /some/where/big; touch /elsewhere; echo ok")).trim(),
      "ok",
    );
    const checkpoint = first.machine.checkpoint(
      `${bench.directory}/cp`,
      AbortSignal.timeout(60_000),
    );
    await assert.rejects(checkpoint, { code: "DRIVER_CANNOT" });
    await first.machine.stop();
    const second = await bench.launch({
      volumes: [{ image, path: "/other", readOnly: true }],
    });
    assert.equal(await second.host.shell("cat /other/f; stat -c %u:%g /other/f"), "kept\n7:8\n");
    for (const command of ["touch /other/new", "mount -o remount,rw /other; touch /other/new"]) {
      assert.match(await second.host.shell(command), /Read-only file system/);
    }
    // Any number may read one.
    const third = await bench.launch({ volumes: [{ image, path: "/third", readOnly: true }] });
    assert.equal(await third.host.shell("cat /third/f; ls /elsewhere 2>&1 | wc -l"), "kept\n1\n");
  });

  test("a volume has what the guest wrote when its first program ends by itself", async (bench) => {
    const image = `${bench.directory}/v.img`;
    await createVolumeImage(image, 64 * MiB, { owner });
    const first = await bench.launch({ volumes: [{ image, path: "/data", readOnly: false }] });
    // Whatever runs the program is above the shell that is run for it.
    const end = "head -c 5000000 /dev/zero > /data/f; echo written; kill -9 $PPID";
    assert.match(await first.host.shell(end).catch(() => "written"), /written|^$/);
    await first.machine.exited;
    await first.machine.stop();
    const second = await bench.launch({ volumes: [{ image, path: "/data", readOnly: true }] });
    assert.equal(await second.host.shell("stat -c %s /data/f"), "5000000\n");
  });

  test("a root of its own keeps what is written to it, unless it is only read", async (bench) => {
    const image = `${bench.directory}/root.img`;
    const { rootfs } = await options.image();
    await createVolumeImage(image, 1024 * MiB, { owner, contents: rootfs });
    const first = await bench.launch({ rootVolume: { image, readOnly: false } });
    await first.host.shell("echo kept > /etc/mark; rm -r /usr/share/doc/bash");
    assert.match(
      await first.host.shell("cat /etc/resolv.conf /etc/hostname"),
      /192.0.2.53\nconformance/,
    );
    await first.machine.stop();
    for (let round = 0; round < 2; round++) {
      const { host, machine } = await bench.launch({ rootVolume: { image, readOnly: true } });
      assert.equal(
        await host.shell(
          "cat /etc/mark; ls -d /usr/share/doc/bash 2>/dev/null; echo gone > /etc/mark",
        ),
        "kept\n",
      );
      assert.match(
        await host.shell("cat /etc/mark /etc/resolv.conf"),
        /gone\nnameserver 192.0.2.53/,
      );
      await machine.stop();
    }
  });

  const { mostVolumes } = options;
  if (mostVolumes === undefined) return;
  test("a machine has as many volumes as it says, and no more", async (bench) => {
    const image = `${bench.directory}/v.img`;
    await createVolumeImage(image, 64 * MiB, { owner });
    const volumes = Array.from({ length: mostVolumes }, (_, index) => ({
      ...{ image, path: `/many/${index}`, readOnly: true },
    }));
    const tooMany = [...volumes, { image, path: "/one/more", readOnly: true }];
    await assert.rejects(bench.launch({ volumes: tooMany }), { code: "DRIVER_CANNOT" });
    const { host } = await bench.launch({ volumes });
    assert.equal(await host.shell("grep -c ' /many/' /proc/mounts"), `${mostVolumes}\n`);
  });
}

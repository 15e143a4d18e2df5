import { strict as assert } from "node:assert";
import type { Driver, DriverName, ProbeResult } from "@paddock/driver";
import { DriverRooms } from "./_driver_rooms.ts";
import type { EngineParts } from "./_sandbox_resources.ts";

/** Stands for a driver; nothing here boots anything. */
function driver(name: DriverName, works: boolean): Driver & { probes: number } {
  const standIn = {
    name,
    probes: 0,
    probe: (): Promise<ProbeResult> => {
      standIn.probes++;
      const problems = works ? [] : [`${name} is not installed.`];
      return Promise.resolve({ driver: name, works, problems, capabilities: [] });
    },
  };
  return standIn as unknown as Driver & { probes: number };
}

const signal = new AbortController().signal;
const open = (drivers: Driver[], allowed: DriverName[] = []) =>
  DriverRooms.open({
    drivers,
    allowed,
    furnish: (driver, probe) =>
      Promise.resolve({
        probe,
        parts: { driver } as EngineParts,
        templates: undefined,
        pool: undefined,
      }),
  }, signal);

Deno.test("the first driver that works is everybody's", async () => {
  const drivers = [driver("firecracker", false), driver("gvisor", true), driver("qemu", true)];
  const rooms = await open(drivers);
  assert.equal(rooms.default.probe.driver, "gvisor");
  assert.deepEqual(drivers.map(({ probes }) => probes), [1, 1, 0]);
  assert.equal((await rooms.choose(undefined, signal)).probe.driver, "gvisor");
  assert.equal((await rooms.choose("gvisor", signal)).probe.driver, "gvisor");
});

Deno.test("a host that none of them works on is told why, of each", async () => {
  await assert.rejects(open([driver("firecracker", false), driver("gvisor", false)]), {
    code: "HOST_CANNOT_RUN_SANDBOXES",
    message: /firecracker is not installed\..*gvisor is not installed\./,
  });
});

Deno.test("another driver is had by name where that is allowed, and is looked at once", async () => {
  const qemu = driver("qemu", true);
  const drivers = [driver("gvisor", true), qemu, driver("firecracker", false)];
  const rooms = await open(drivers, ["qemu", "firecracker"]);
  const [one, two] = await Promise.all([
    rooms.choose("qemu", signal),
    rooms.choose("qemu", signal),
  ]);
  assert.equal(one.probe.driver, "qemu");
  assert.equal(one, two);
  assert.equal(qemu.probes, 1);
  await assert.rejects(rooms.choose("firecracker", signal), {
    code: "HOST_CANNOT_RUN_SANDBOXES",
    message: /firecracker is not installed/,
  });
  await assert.rejects((await open(drivers)).choose("qemu", signal), {
    code: "INVALID_CONFIG",
    field: "driver",
    message: /this server has gvisor, not qemu \(allowDrivers\)/,
  });
});

import { Sandbox } from "@paddock/sandbox";
import { lineChart } from "../chart.ts";
import { figure } from "../figure.ts";
import { growthOf, type HostObjects, hostObjects, ownerOf } from "../host_objects.ts";
import { untilOrigin } from "../of_origin.ts";
import type { Scenario } from "../scenario.ts";

const SAMPLES = 10;
const AT_ONCE = 4;
/** Longer than taking a sandbox's things away lasts. */
const REST_MS = 3_000;
/** What is open at one moment and not at the next: a look at the disk, a refill of what is kept ready. */
const LOOSE = 8;
/** Network slots, each a namespace that is mounted, which a node keeps ready for the next sandboxes. */
const SPARE = 2;

/** The same work for each sandbox: what waits in a pool comes and goes by itself. */
export const serverEnv = { PADDOCK_LIMITS_POOL_MIN: "0", PADDOCK_LIMITS_POOL_MAX: "0" };

/**
 * Sandboxes made, used once and ended, a few at a time: what the daemon and the host hold at rest must
 * not grow with them. The first tenth warms everything up and is not held against it.
 */
const churn: Scenario = async (context) => {
  const { api, token, quick, count, say, chart } = context;
  const rounds = count ?? (quick ? 20 : 200);
  const each = Math.max(1, Math.floor(rounds / SAMPLES));
  const model = await untilOrigin({ api, token }, "restored");
  const owner = await ownerOf(context, model.id);
  await model.kill();
  const samples: { made: number; objects: HostObjects }[] = [];
  let made = 0;
  let failed = 0;
  const start = performance.now();
  let resting = 0;
  while (made < rounds) {
    const until = Math.min(rounds, made + each);
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (made < until) {
          const number = made++;
          try {
            const sandbox = await Sandbox.create({ endpoint: api, token });
            try {
              await sandbox.writeTextFile("number", String(number));
              if (await sandbox.readTextFile("number") !== String(number)) {
                throw new Error("another sandbox's file");
              }
            } finally {
              await sandbox.kill();
            }
          } catch (error) {
            failed++;
            say(`one failed: ${error}`);
          }
        }
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    resting += REST_MS;
    const objects = await hostObjects(owner);
    samples.push({ made, objects });
    say(`${made}: ${JSON.stringify({ ...objects, residentMb: Math.round(objects.residentMb) })}`);
  }
  const seconds = (performance.now() - start - resting) / 1000;
  const line = (name: string, of: (objects: HostObjects) => number) => ({
    name,
    points: samples.map(({ made, objects }) => [made, of(objects)] as const),
  });
  chart(
    lineChart({
      title: "What is held at rest",
      across: "sandboxes made and ended",
      up: "count, MB",
    }, [
      line("daemon, MB", (it) => it.residentMb),
      line("its files", (it) => it.descriptors),
      line("mounts", (it) => it.mounts),
      line("namespaces", (it) => it.networkNamespaces),
      line("cgroups", (it) => it.cgroups),
      line("loop devices", (it) => it.loopDevices),
    ]),
  );
  const growth = growthOf(samples[0].objects, samples.at(-1)!.objects);
  const held = (metric: string, value: number, than: number, unit = "count") =>
    figure({ scenario: "churn", metric, unit }, {
      value,
      target: { on: "value", at: "most", than },
    });
  return [
    held("growth_of_daemon", growth.residentMb, 32, "MB"),
    held("growth_of_descriptors", growth.descriptors, LOOSE),
    held("growth_of_network_namespaces", growth.networkNamespaces, SPARE),
    held("growth_of_mounts", growth.mounts, SPARE),
    held("growth_of_cgroups", growth.cgroups, 0),
    held("growth_of_loop_devices", growth.loopDevices, 0),
    held("failed", failed, 0, "sandboxes"),
    figure({ scenario: "churn", metric: `rate_over_${rounds}`, unit: "/s" }, {
      value: rounds / seconds,
    }),
  ];
};
export default churn;

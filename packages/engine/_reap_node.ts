import { Cgroup, type CgroupHost, childCgroups, type Driver, type Log } from "@paddock/driver";
import { removeTree } from "./_sandbox_resources.ts";
import type { RecordStore } from "./engine.ts";

/**
 * Ends and removes what an earlier engine of this data directory left behind, except for networks
 * (they are swept with their claims) and paused sandboxes, which have no machine. Idempotent. Disks and loop devices go with the processes that
 * hold them mounted.
 */
export async function reapNode(options: {
  directory: string;
  drivers: Driver[];
  cgroups: CgroupHost;
  cgroupParent: string;
  records: RecordStore;
  log: Log;
  signal: AbortSignal;
}): Promise<void> {
  const machines: string[] = [];
  for (const driver of options.drivers) {
    machines.push(...(await driver.reap(options.signal)).machines);
  }
  const groups = childCgroups(options.cgroupParent, options.cgroups);
  for (const name of groups) {
    options.signal.throwIfAborted();
    const cgroup = new Cgroup(`${options.cgroupParent}/${name}`, options.cgroups);
    await cgroup.kill();
    await cgroup.remove();
  }
  await removeTree(options.directory);
  const records = options.records.unfinished().filter(({ state }) => state !== "paused");
  for (const record of records) {
    options.records.update(record.id, {
      state: "stopped",
      stoppedAt: Date.now(),
      endReason: "node_stopped",
    });
  }
  if (machines.length + groups.length + records.length > 0) {
    options.log.info("ended what an earlier daemon left", {
      machines: machines.length,
      cgroups: groups.length,
      records: records.length,
    });
  }
}

import type { Log } from "@paddock/driver";
import type { NodeCheckpoints } from "./checkpoints/node_checkpoints.ts";
import type { DriverRooms } from "./_driver_rooms.ts";
import type { PausedMachines } from "./_pausing.ts";
import { Sandbox } from "./_sandbox.ts";
import type { RecordStore } from "./engine.ts";

/**
 * The sandboxes that an earlier engine left paused. One whose machine is not there any more, or whose
 * driver does not work here any more, has ended; machines that belong to none are removed.
 */
export async function findPaused({ records, checkpoints, rooms, machines, log, signal }: {
  records: RecordStore;
  checkpoints: NodeCheckpoints;
  rooms: DriverRooms;
  machines: PausedMachines;
  log: Log;
  signal: AbortSignal;
}): Promise<Sandbox[]> {
  const found: Sandbox[] = [];
  const needed = new Set<string>();
  for (const record of records.unfinished()) {
    const { id, paused, createdAt, driver } = record;
    if (record.state !== "paused") continue;
    const room = await rooms.choose(driver, signal).catch((error) => {
      log.warn("the driver of a paused sandbox is not there any more", {
        sandbox: id,
        error: String(error),
      });
      return undefined;
    });
    if (!room || !paused || !await checkpoints.has(paused.checkpoint)) {
      const stoppedAt = Date.now();
      records.update(id, { state: "stopped", stoppedAt, endReason: "node_stopped", paused: null });
      continue;
    }
    needed.add(paused.checkpoint);
    const { organizationId, region, memoryBytes, labels, alias, parent, template } = record;
    const spec = {
      ...{ id, organizationId, region, memoryBytes, labels, driver },
      stopAt: paused.leftMs === null ? "session" as const : record.stopAt ?? createdAt,
      ...(alias !== null && { alias }),
      ...(parent !== null && { parent }),
      ...(template !== null && { template }),
      ...(record.pauseAfterIdleMs !== null && { pauseAfterIdleMs: record.pauseAfterIdleMs }),
    };
    found.push(new Sandbox(spec, room, records, machines, { before: { createdAt, paused } }));
  }
  await checkpoints.keepPaused(needed);
  return found;
}

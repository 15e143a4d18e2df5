import { createGvisorDriver } from "@paddock/driver-gvisor";
import { type Log, syncDirectory } from "@paddock/driver";
import { defaultLimits } from "@paddock/protocol";
import { createMemoryVolumeStore } from "../volumes/memory_volume_store.ts";
import { NodeVolumes } from "../volumes/node_volumes.ts";
import type { StoredVolume, VolumeStore } from "../volumes/volume_store.ts";

const MiB = 1024 * 1024;

/**
 * Records in a file, whole or as before: what a database does. `step` is called before and after each
 * time they are written.
 */
export function createFileVolumeStore(path: string, step: () => void = () => {}): VolumeStore {
  const memory = createMemoryVolumeStore();
  let records: StoredVolume[] = [];
  try {
    records = JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const record of records) memory.insert(record, defaultLimits);
  const written = (change: () => void) => {
    step();
    change();
    Deno.writeTextFileSync(`${path}.new`, JSON.stringify(memory.all()));
    Deno.renameSync(`${path}.new`, path);
    step();
  };
  return {
    ...memory,
    insert: (record, bounds) => written(() => memory.insert(record, bounds)),
    update: (id, patch) => written(() => memory.update(id, patch)),
    remove: (id) => written(() => memory.remove(id)),
  };
}

/** The volumes of a directory, as an engine has them, without the engine. */
export async function openVolumes(directory: string, step?: () => void) {
  const logged: string[] = [];
  const note = (message: string) => void logged.push(message);
  const log: Log = { debug() {}, info() {}, warn: note, error: note };
  const store = createFileVolumeStore(`${directory}/records.json`, step);
  const driver = createGvisorDriver({ stateDir: `${directory}/gvisor` });
  const volumes = new NodeVolumes({
    directory: `${directory}/volumes`,
    store,
    driver: () => driver,
    // What a bootable volume is filled with: any directory does, since nothing boots here.
    image: { digest: "test", rootfs: "/usr/share/zoneinfo" },
    limits: { ...defaultLimits, hostFreeDiskBytes: 0 },
    log,
  });
  await volumes.open();
  return { volumes, store, logged };
}

// A daemon that is killed the moment it has come to its n-th step, for a test that looks at what is left.
if (import.meta.main) {
  const [directory, last] = Deno.args;
  let steps = 0;
  const { volumes } = await openVolumes(directory, () => {
    if (++steps === Number(last)) Deno.kill(Deno.pid, "SIGKILL");
  });
  const signal = AbortSignal.timeout(60_000);
  const common = { organizationId: "test", region: "ord", capacityBytes: 64 * MiB };
  const empty = await volumes.create({ ...common, slug: "empty" }, signal);
  const snapshot = await volumes.snapshot(empty.id, { slug: "snap" }, signal);
  const from = { snapshotId: snapshot.id };
  const copy = await volumes.create({ ...common, slug: "copy", from }, signal);
  await volumes.create({ ...common, slug: "boot", from: "builtin" }, signal);
  const sandbox = { id: "sbx_ord_00000000000000000001", organizationId: "test" };
  const mounts = [{ volumeId: copy.id, path: "/data" }];
  const driver = createGvisorDriver({ stateDir: `${directory}/gvisor` });
  const attached = volumes.attach({ ...sandbox, volumes: mounts }, driver);
  await syncDirectory(directory);
  await attached.release();
  await volumes.remove(snapshot.id);
  await volumes.remove(empty.id);
  console.log(`done after ${steps} steps`);
}

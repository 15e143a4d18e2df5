// Shows: files that outlive their sandbox on a volume, a snapshot of them, and a copy that goes its own way.
import { Client, Sandbox } from "@paddock/sandbox";

const { volumes, snapshots } = new Client();
const name = `notes-${crypto.randomUUID().slice(0, 8)}`;
const volume = await volumes.create({ slug: name, capacity: "200MB" });
console.log(`volume ${volume.slug}: ${volume.capacity / 1e6} MB, in ${volume.region}`);

for (const day of ["Monday", "Tuesday"]) {
  // Each day another sandbox, with the same volume at /notes.
  await using sandbox = await Sandbox.create({ volumes: { "/notes": volume } });
  await sandbox.sh`echo ${day} >> /notes/days`;
}

const snapshot = await volume.snapshot({ slug: `${name}-v1` });
const copy = await volumes.create({ slug: `${name}-2`, capacity: "300MB", from: snapshot.slug });
{
  await using sandbox = await Sandbox.create({ volumes: { "/first": volume, "/second": copy } });
  await sandbox.sh`echo Wednesday >> /second/days`;
  console.log("first: ", (await sandbox.readTextFile("/first/days")).trim().split("\n"));
  console.log("second:", (await sandbox.readTextFile("/second/days")).trim().split("\n"));
  const taken = await Sandbox.create({ volumes: { "/mine": volume } }).catch((error) => error);
  console.log(`a second writer: ${taken.code}`);
}

await copy.delete();
await volume.delete();
await snapshots.delete(snapshot.id);

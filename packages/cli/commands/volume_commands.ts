import type { Command } from "commander";
import { parseMemory } from "../parse_values.ts";
import { connectionOptions, examples, jsonOption } from "./options.ts";

export function addVolumeCommands(program: Command): void {
  const volume = program.command("volume")
    .summary("filesystems that outlive sandboxes")
    .description("Creates, lists and deletes volumes, and makes snapshots of them.");
  addCreate(volume);
  addList(volume, "volume");
  addSnapshot(volume);
  addRemove(volume, "volume");
  const snapshot = program.command("snapshot")
    .summary("volumes as they were at one moment")
    .description("Lists and deletes snapshots. `paddock volume snapshot` makes one.");
  addList(snapshot, "snapshot");
  addRemove(snapshot, "snapshot");
}

function addCreate(parent: Command): void {
  const command = parent.command("create")
    .summary("create a volume and print its id")
    .description("Creates a volume: empty, with what a snapshot holds, or with a system to boot.")
    .argument("<slug>", "its name")
    .requiredOption("-c, --capacity <size>", "how much it holds: 2GB, 10GiB", parseMemory)
    .option("-f, --from <snapshot>", "a snapshot, or builtin:debian-13")
    .option("-r, --region <code>", "the region (default: the snapshot's, or the server's first)");
  connectionOptions(jsonOption(command));
  examples(command, [
    ["paddock volume create cache --capacity 2GB", "an empty one"],
    ["paddock volume create box -c 4GB --from builtin:debian-13", "one to boot from"],
    ["paddock create --volume /data=cache", "mount it"],
  ]);
  command.action(async (slug, options) => {
    const { createVolumeCommand } = await import("./volume.ts");
    await createVolumeCommand(slug, options);
  });
}

function addList(parent: Command, kind: "volume" | "snapshot"): void {
  const command = parent.command("ls").alias("list")
    .summary(`list ${kind}s`)
    .description(`Lists the organisation's ${kind}s, newest first.`)
    .argument("[search]", "only those with this in their slug, or this id")
    .option("-q, --quiet", "print ids alone");
  connectionOptions(jsonOption(command));
  examples(command, [
    [`paddock ${kind} ls`, "all of them"],
    [`paddock ${kind} ls cache`, "those with cache in their name"],
  ]);
  command.action(async (search, options) => {
    const { listVolumesCommand } = await import("./volume.ts");
    await listVolumesCommand(kind, search, options);
  });
}

function addSnapshot(parent: Command): void {
  const command = parent.command("snapshot")
    .summary("make a snapshot of a volume and print its id")
    .description("Makes a snapshot of a volume that no sandbox has mounted.")
    .argument("<volume>", "its id or slug")
    .argument("<slug>", "the snapshot's name");
  connectionOptions(jsonOption(command));
  examples(command, [
    ["paddock volume snapshot box box-v1", "as it is now"],
    ["paddock create --root box-v1", "boot from it, any number of times"],
  ]);
  command.action(async (volume, slug, options) => {
    const { snapshotVolumeCommand } = await import("./volume.ts");
    await snapshotVolumeCommand(volume, slug, options);
  });
}

function addRemove(parent: Command, kind: "volume" | "snapshot"): void {
  const command = parent.command("rm").alias("delete")
    .summary(`delete ${kind}s`)
    .description(`Deletes ${kind}s that no sandbox has, with all that is on them.`)
    .argument("<name...>", "ids or slugs");
  connectionOptions(jsonOption(command));
  examples(command, [[`paddock ${kind} rm cache`, "one"]]);
  command.action(async (names, options) => {
    const { removeVolumesCommand } = await import("./volume.ts");
    await removeVolumesCommand(kind, names, options);
  });
}

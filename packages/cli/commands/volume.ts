import { Client, type Snapshot, type Volume } from "@paddock/sandbox";
import { clientOptions } from "../connection.ts";
import { formatBytes, formatDuration, formatTable } from "../format.ts";
import { printJson, printLine, printNote } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

type Options = ConnectionOptions & JsonOption;
type Kind = "volume" | "snapshot";

export async function createVolumeCommand(
  slug: string,
  { capacity, from, region, ...options }: Options & {
    capacity: number;
    from?: string;
    region?: string;
  },
): Promise<void> {
  const { volumes } = new Client(clientOptions(options));
  const volume = await volumes.create({ slug, capacity, from, region });
  if (options.json) printJson(volumeJson(volume));
  else printLine(volume.id);
}

export async function snapshotVolumeCommand(
  volume: string,
  slug: string,
  options: Options,
): Promise<void> {
  const snapshot = await new Client(clientOptions(options)).volumes.snapshot(volume, { slug });
  if (options.json) printJson(snapshotJson(snapshot));
  else printLine(snapshot.id);
}

export async function listVolumesCommand(
  kind: Kind,
  search: string | undefined,
  options: Options & { quiet?: boolean },
): Promise<void> {
  const client = new Client(clientOptions(options));
  if (kind === "volume") {
    const items = await Array.fromAsync(await client.volumes.list({ search }));
    print(kind, items, options, volumeJson, renderVolumes);
  } else {
    const items = await Array.fromAsync(await client.snapshots.list({ search }));
    print(kind, items, options, snapshotJson, renderSnapshots);
  }
}

export async function removeVolumesCommand(
  kind: Kind,
  names: string[],
  options: Options,
): Promise<void> {
  const client = new Client(clientOptions(options));
  for (const name of names) {
    await (kind === "volume" ? client.volumes : client.snapshots).delete(name);
    if (!options.json) printLine(name);
  }
  if (options.json) printJson({ deleted: names });
}

function print<T extends { id: string }>(
  kind: Kind,
  items: T[],
  options: Options & { quiet?: boolean },
  json: (item: T) => unknown,
  render: (items: T[], now: number) => string,
): void {
  if (options.json) printJson(items.map(json));
  else if (options.quiet) { for (const { id } of items) printLine(id); }
  else if (items.length === 0) printNote(`No ${kind}s.`);
  else printLine(render(items, Date.now()));
}

export function renderVolumes(items: Volume[], now: number): string {
  return formatTable(
    ["SLUG", "CAPACITY", "USED", "BOOTABLE", "FROM", "AGE", "SANDBOX", "ID"],
    items.map((item) => [
      item.slug,
      formatBytes(item.capacity),
      formatBytes(item.estimatedFlattenedSize),
      item.isBootable ? "yes" : "",
      item.baseSnapshot?.slug ?? "",
      formatDuration(now - item.createdAt.getTime()),
      item.attachedTo ?? "",
      item.id,
    ]),
  );
}

export function renderSnapshots(items: Snapshot[], now: number): string {
  return formatTable(
    ["SLUG", "SIZE", "BOOTABLE", "VOLUME", "AGE", "ID"],
    items.map((item) => [
      item.slug,
      formatBytes(item.flattenedSize),
      item.isBootable ? "yes" : "",
      item.volume.slug,
      formatDuration(now - item.createdAt.getTime()),
      item.id,
    ]),
  );
}

function volumeJson(volume: Volume) {
  const { id, slug, region, capacity, isBootable, baseSnapshot, attachedTo, createdAt } = volume;
  const { estimatedAllocatedSize, estimatedFlattenedSize } = volume;
  return {
    ...{ id, slug, region, capacity, estimatedAllocatedSize, estimatedFlattenedSize },
    ...{ isBootable, baseSnapshot, attachedTo, createdAt },
  };
}

function snapshotJson(snapshot: Snapshot) {
  const { id, slug, region, capacity, isBootable, volume, createdAt } = snapshot;
  const { allocatedSize, flattenedSize } = snapshot;
  return {
    ...{ id, slug, region, capacity, allocatedSize, flattenedSize, isBootable, volume },
    createdAt,
  };
}

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { residentBytes } from "./resident.ts";

/** What a daemon holds: for itself, and on the host for its sandboxes. */
export interface HostObjects {
  descriptors: number;
  residentMb: number;
  networkNamespaces: number;
  mounts: number;
  cgroups: number;
  loopDevices: number;
}

/** How what is one daemon's is told from another's. */
export interface Owner {
  daemonPid: number;
  dataDir: string;
  /** What the names of its namespaces begin with. */
  namespaces: string;
}

/** Its sandbox's bundle names the namespace that it is in. */
export async function ownerOf(
  { daemonPid, dataDir }: Pick<Owner, "daemonPid" | "dataDir">,
  sandboxId: string,
): Promise<Owner> {
  const config = JSON.parse(
    await readFile(join(dataDir, "sandboxes", sandboxId, "config.json"), "utf8"),
  ) as { linux: { namespaces: { type: string; path?: string }[] } };
  const path = config.linux.namespaces.find(({ type }) => type === "network")?.path ?? "";
  const namespaces = /^\/run\/netns\/(pk[0-9a-f]+_)\d+$/.exec(path)?.[1];
  if (!namespaces) throw new Error(`"${path}" is not the name of a network slot`);
  return { daemonPid, dataDir, namespaces };
}

export async function hostObjects(owner: Owner): Promise<HostObjects> {
  const { daemonPid, dataDir, namespaces } = owner;
  const [descriptors, resident, names, mountinfo, cgroups, loopDevices] = await Promise.all([
    readdir(`/proc/${daemonPid}/fd`),
    residentBytes(daemonPid),
    readdir("/run/netns").catch(() => []),
    readFile(`/proc/${daemonPid}/mountinfo`, "utf8"),
    countCgroups(namespaces.slice(2, -1)),
    countLoopDevices(dataDir),
  ]);
  return {
    descriptors: descriptors.length,
    residentMb: resident / 1e6,
    networkNamespaces: names.filter((name) => name.startsWith(namespaces)).length,
    mounts: mountinfo.split("\n")
      .filter((line) => line.includes(dataDir) || line.includes(`/netns/${namespaces}`)).length,
    cgroups,
    loopDevices,
  };
}

/** What was taken from one to the other, by name. */
export function growthOf(from: HostObjects, to: HostObjects): HostObjects {
  return Object.fromEntries(
    Object.entries(to).map(([name, value]) => [name, value - from[name as keyof HostObjects]]),
  ) as unknown as HostObjects;
}

/** In every hierarchy, below the one that is named after the daemon's data directory. */
async function countCgroups(hash: string): Promise<number> {
  const root = "/sys/fs/cgroup";
  const parents = [
    join(root, "paddock"),
    ...(await readdir(root)).map((controller) => join(root, controller, "paddock")),
  ];
  const counts = await Promise.all(parents.map(async (parent) => {
    const own = (await readdir(parent).catch(() => [])).filter((name) => name.startsWith(hash));
    const inside = await Promise.all(own.map((name) => directoriesIn(join(parent, name))));
    return inside.reduce((sum, count) => sum + count, 0);
  }));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function directoriesIn(path: string): Promise<number> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).length;
}

async function countLoopDevices(dataDir: string): Promise<number> {
  const devices = (await readdir("/sys/block")).filter((name) => name.startsWith("loop"));
  const files = await Promise.all(
    devices.map((name) => readFile(`/sys/block/${name}/loop/backing_file`, "utf8").catch(() => "")),
  );
  return files.filter((file) => file.includes(dataDir)).length;
}

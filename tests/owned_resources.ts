import { readdir, readFile, stat } from "node:fs/promises";

/** What a server that cleaned up after itself leaves. */
export const nothing = {
  processes: [],
  namespaces: [],
  cgroups: [],
  mounts: [],
  loopDevices: [],
  links: [],
};

/**
 * What a server and its sandboxes hold on this host, found by following its processes and its data
 * directory. Only what belongs to that one server: other servers may run beside it.
 */
export interface OwnedResources {
  /** pid → command line; a pid alone may be used again by the time it is looked up. */
  processes: Map<number, string>;
  /** Names below /run/netns. */
  namespaces: Set<string>;
  /** Directories of cgroups, without the root ones. */
  cgroups: Set<string>;
  mounts: Set<string>;
  loopDevices: Set<string>;
  /** Interfaces of the host whose other end is in one of the namespaces. */
  links: Set<string>;
}

/** `serverPid` itself is not among the result: whether it runs is not a leak. */
export async function ownedResources(dataDir: string, serverPid: number): Promise<OwnedResources> {
  const processes = await ownedProcesses(dataDir, serverPid);
  const namespaces = await ownedNamespaces([...processes.keys()]);
  return {
    processes,
    namespaces,
    cgroups: await ownedCgroups([...processes.keys()], serverPid),
    mounts: await ownedMounts(dataDir),
    loopDevices: await ownedLoopDevices(dataDir),
    links: await ownedLinks(namespaces),
  };
}

/** The part of `before` that still exists. Empty arrays everywhere: nothing was left behind. */
export async function leftovers(before: OwnedResources, dataDir: string) {
  const namespaceNames = new Set(await readdir("/run/netns").catch(() => []));
  const linkNames = new Set(await readdir("/sys/class/net"));
  const alive = [];
  for (const [pid, command] of before.processes) {
    if (await commandLine(pid) === command) alive.push(`${pid} ${command}`);
  }
  const cgroups = [];
  for (const path of before.cgroups) if (await stat(path).catch(() => null)) cgroups.push(path);
  return {
    processes: alive,
    namespaces: [...before.namespaces].filter((name) => namespaceNames.has(name)),
    cgroups,
    mounts: [...await ownedMounts(dataDir)],
    loopDevices: [...await ownedLoopDevices(dataDir)],
    links: [...before.links].filter((name) => linkNames.has(name)),
  };
}

async function commandLine(pid: number): Promise<string> {
  const raw = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return raw.replaceAll("\0", " ").trim();
}

async function ownedProcesses(dataDir: string, serverPid: number): Promise<Map<number, string>> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map<number, number>();
  const commands = new Map<number, string>();
  for (const pid of pids) {
    const fields = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    if (!fields) continue;
    parents.set(pid, Number(fields.slice(fields.lastIndexOf(")") + 2).split(" ")[1]));
    commands.set(pid, await commandLine(pid));
  }
  const owned = new Map<number, string>();
  const belongs = (pid: number): boolean => {
    for (let at: number | undefined = pid, depth = 0; at && depth < 64; depth++) {
      if (at === serverPid || owned.has(at)) return true;
      if (commands.get(at)?.includes(dataDir)) return true;
      at = parents.get(at);
    }
    return false;
  };
  for (const pid of parents.keys()) {
    const command = commands.get(pid);
    if (pid !== serverPid && command && belongs(pid)) owned.set(pid, command);
  }
  return owned;
}

async function ownedNamespaces(pids: number[]): Promise<Set<string>> {
  const inodes = new Set<number>();
  const host = (await stat("/proc/self/ns/net")).ino;
  for (const pid of pids) {
    const ino = (await stat(`/proc/${pid}/ns/net`).catch(() => null))?.ino;
    if (ino && ino !== host) inodes.add(ino);
  }
  const names = new Set<string>();
  for (const name of await readdir("/run/netns").catch(() => [])) {
    const ino = (await stat(`/run/netns/${name}`).catch(() => null))?.ino;
    if (ino && inodes.has(ino)) names.add(name);
  }
  return names;
}

async function ownedCgroups(pids: number[], serverPid: number): Promise<Set<string>> {
  const hierarchies = new Map<string, string>();
  for (const line of (await readFile("/proc/mounts", "utf8")).split("\n")) {
    const [, point, type, options] = line.split(" ");
    if (type === "cgroup2") hierarchies.set("", point);
    if (type !== "cgroup") continue;
    for (const controller of options.split(",")) hierarchies.set(controller, point);
  }
  const own = await readFile(`/proc/${serverPid}/cgroup`, "utf8").catch(() => "");
  const shared = new Set([
    ...own.split("\n"),
    ...(await readFile("/proc/self/cgroup", "utf8")).split("\n"),
  ]);
  const found = new Set<string>();
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
    for (const line of text.split("\n")) {
      const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      if (!path || path === "/" || shared.has(line)) continue;
      const point = hierarchies.get(controllers.split(",")[0]);
      if (point) found.add(`${point}${path}`);
    }
  }
  return found;
}

async function ownedMounts(dataDir: string): Promise<Set<string>> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  return new Set(
    lines.map((line) => line.split(" ")[4]).filter((point) => point?.startsWith(dataDir)),
  );
}

async function ownedLoopDevices(dataDir: string): Promise<Set<string>> {
  const devices = new Set<string>();
  for (const name of await readdir("/sys/block")) {
    if (!name.startsWith("loop")) continue;
    const file = await readFile(`/sys/block/${name}/loop/backing_file`, "utf8").catch(() => "");
    if (file.startsWith(dataDir)) devices.add(`${name} ${file.trim()}`);
  }
  return devices;
}

/** The host's ends of the links whose other ends are in the namespaces. */
async function ownedLinks(namespaces: Set<string>): Promise<Set<string>> {
  const outer = new Set<number>();
  for (const name of namespaces) {
    for (const { link_index } of await links("-n", name)) if (link_index) outer.add(link_index);
  }
  const own = (await links()).filter(({ ifindex }) => outer.has(ifindex));
  return new Set(own.map(({ ifname }) => ifname));
}

async function links(
  ...where: string[]
): Promise<{ ifname: string; ifindex: number; link_index?: number }[]> {
  const { stdout } = await new Deno.Command("ip", { args: [...where, "-j", "link"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout) || "[]");
}

import { readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/**
 * What a test run may leave on a host, by kind. Other Paddocks may run beside the tests: a thing
 * counts as left behind when it is new and nobody else's process is in it.
 */
export interface HostState {
  namespaces: Set<string>;
  cgroups: Set<string>;
  mounts: Set<string>;
  loopDevices: Set<string>;
}

/** Set for every test process and inherited by all that these start. */
export const runMarker = "PADDOCK_TEST_RUN";

export async function hostState(): Promise<HostState> {
  return {
    namespaces: new Set(await names("/run/netns")),
    cgroups: new Set(await paddockCgroups()),
    mounts: new Set(await testMounts()),
    loopDevices: new Set(await testLoopDevices()),
  };
}

/** One line for each thing that the run left; teardown in the background gets `patienceMs`. */
export async function findLeftovers(
  before: HostState,
  runId: string,
  patienceMs: number,
): Promise<string[]> {
  const giveUpAt = Date.now() + patienceMs;
  for (;;) {
    const found = await leftNow(before, runId);
    if (found.length === 0 || Date.now() > giveUpAt) return found;
    await delay(500);
  }
}

async function leftNow(before: HostState, runId: string): Promise<string[]> {
  const now = await hostState();
  const processes = await hostProcesses();
  const ours = processes.filter(startedBy(runId));
  const others = processes.filter((process) => !ours.includes(process));
  const inodes = new Set(others.map(({ namespace }) => namespace));
  const cgroupsOfOthers = others.map(({ cgroups }) => cgroups);
  const lines = ours.map(({ pid, command }) => `process ${pid}: ${command}`);
  for (const name of now.namespaces) {
    const inode = (await Deno.stat(`/run/netns/${name}`).catch(() => undefined))?.ino;
    if (before.namespaces.has(name) || inode === undefined) continue;
    if (!inodes.has(`net:[${inode}]`)) lines.push(`network namespace ${name}`);
  }
  for (const path of now.cgroups) {
    const name = path.slice(path.indexOf("/paddock"));
    const used = cgroupsOfOthers.some((text) => text.includes(name));
    if (!before.cgroups.has(path) && !used) lines.push(`cgroup ${path}`);
  }
  for (const mount of now.mounts) if (!before.mounts.has(mount)) lines.push(`mount ${mount}`);
  for (const loop of now.loopDevices) {
    if (!before.loopDevices.has(loop)) lines.push(`loop device ${loop}`);
  }
  return lines;
}

interface HostProcess {
  pid: string;
  parent: string;
  command: string;
  environment: string[];
  namespace: string;
  cgroups: string;
}

/** The processes of a run's tests, and what those started. */
export async function processesOfRun(runId: string): Promise<HostProcess[]> {
  return (await hostProcesses()).filter(startedBy(runId));
}

function startedBy(runId: string): (process: HostProcess) => boolean {
  return ({ environment }) => environment.includes(`${runMarker}=${runId}`);
}

async function hostProcesses(): Promise<HostProcess[]> {
  const found: HostProcess[] = [];
  for (const pid of await names("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === Deno.pid) continue;
    const command = (await text(`/proc/${pid}/cmdline`)).replaceAll("\0", " ").trim();
    // A kernel thread has no command line, a dead process that waits for its parent neither.
    if (command === "") continue;
    const environment = (await text(`/proc/${pid}/environ`)).split("\0");
    const cgroups = await text(`/proc/${pid}/cgroup`);
    const parent = /^PPid:\s*(\d+)$/m.exec(await text(`/proc/${pid}/status`))?.[1] ?? "";
    const namespace = link(`/proc/${pid}/ns/net`);
    found.push({ pid, parent, command, environment, cgroups, namespace });
  }
  return found;
}

/** Cgroups named paddock or below such a one, in every hierarchy. */
async function paddockCgroups(): Promise<string[]> {
  const found: string[] = [];
  const look = async (folder: string, depth: number, inside: boolean) => {
    for (const name of await names(folder, "directories")) {
      const path = `${folder}/${name}`;
      const ours = inside || name.startsWith("paddock");
      // The parent group stays for the next sandbox; those of sandboxes must go.
      if (ours && name !== "paddock") found.push(path);
      if (depth > 0) await look(path, depth - 1, ours);
    }
  };
  await look("/sys/fs/cgroup", 5, false);
  return found;
}

const testFolders = ["/tmp/paddock-"];

async function testMounts(): Promise<string[]> {
  const points = (await text("/proc/self/mountinfo")).split("\n").map((line) => line.split(" ")[4]);
  return points.filter((point) => testFolders.some((folder) => point?.startsWith(folder)));
}

async function testLoopDevices(): Promise<string[]> {
  const found: string[] = [];
  for (const name of await names("/sys/block")) {
    if (!name.startsWith("loop")) continue;
    const file = (await text(`/sys/block/${name}/loop/backing_file`)).trim();
    if (testFolders.some((folder) => file.startsWith(folder))) found.push(`${name} (${file})`);
  }
  return found;
}

async function names(folder: string, only?: "directories"): Promise<string[]> {
  try {
    const found: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (only === undefined || isDirectory) found.push(name);
    }
    return found;
  } catch {
    // Gone while we looked, or not there on this host.
    return [];
  }
}

async function text(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch(() => "");
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

import {
  Cgroup,
  type CgroupHost,
  type Driver,
  type LaunchSpec,
  type Log,
  type Machine,
  type NetworkSlot,
} from "@paddock/driver";
import type { LimitValues } from "@paddock/protocol";
import { withDeadline } from "./_deadline.ts";
import type { AgentAddress } from "./_ask_agent.ts";
import type { DiskPool } from "./_disk_pool.ts";
import type { EndedLogs } from "./_ended_logs.ts";
import type { Greeting } from "./engine.ts";
import type { RestoreSource } from "./restore_source.ts";
import type { Meters } from "./meters.ts";
import type { NetworkSlots } from "./_network_slots.ts";
import type { AttachRequest, NodeVolumes } from "./volumes/node_volumes.ts";

export type ExerciseAgent = (agent: AgentAddress, signal: AbortSignal) => Promise<void>;
export type GreetAgent = (agent: AgentAddress, signal: AbortSignal) => Promise<Greeting>;

export interface GuestImage {
  digest: string;
  rootfs: string;
  /** Environment of the guest's first process, from the image's manifest. */
  env?: Record<string, string>;
}

/** What every sandbox of an engine is made from. */
export interface EngineParts {
  /** One directory per sandbox is made in here. */
  directory: string;
  image: GuestImage;
  /** What all sandboxes see beside their image, read-only. */
  layers: string;
  driver: Driver;
  limits: LimitValues;
  /** Has a machine that becomes a template do once what clients ask for first. */
  exercise?: ExerciseAgent;
  /** Gets a connection ready to a machine that waits. */
  greet?: GreetAgent;
  slots: NetworkSlots;
  disks: DiskPool;
  volumes: NodeVolumes;
  endedLogs: EndedLogs;
  meters: Meters;
  cgroups: CgroupHost;
  /** Parent of the sandboxes' cgroups. */
  cgroupParent: string;
  log: Log;
}

export interface MachineRequest {
  id: string;
  memoryBytes: number;
  /** Restored from this; booted when left out. */
  source?: RestoreSource;
  /** Nobody waits for it: what others want of the processors comes first, until it is somebody's. */
  ahead?: boolean;
  /** Left out: it has none. */
  attach?: AttachRequest;
  init(slot: NetworkSlot): LaunchSpec["init"];
}

export interface MachineInPlace {
  machine: Machine;
  cgroup: Cgroup;
  slot: NetworkSlot;
  /** It runs: what it was restored from is not needed for it any more, where the driver has read all of it. */
  letGoOfSource(): Promise<void>;
}

const MiB = 1024 * 1024;

/** Of machines that nobody waits for, and of those that are somebody's. */
const AHEAD_WEIGHT = 20;
export const USUAL_WEIGHT = 100;

/** For one step of taking things away; the longest of them is ending the processes. */
const STEP_DEADLINE_MS = 30_000;

/**
 * Takes what a machine needs and starts it. Each thing is noted on `stack` before it is taken (a
 * launch that fails leaves nothing but what its cgroup holds), and
 * giving it back may be repeated and tolerates that it was never there: so that the stack can be
 * unwound from any point.
 */
export async function startMachine(
  parts: EngineParts,
  request: MachineRequest,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<MachineInPlace> {
  const workDir = `${parts.directory}/${request.id}`;
  const step = (what: string, work: () => Promise<void>) =>
    stack.defer(() => takeBack(parts.log, request.id, what, work));

  // Taken first and so given back last: then nothing of the machine writes to them any more.
  const attached = request.attach && parts.volumes.attach(request.attach, parts.driver);
  step("volumes", async () => await attached?.release());
  step("files", () => removeTree(workDir));
  await Deno.mkdir(workDir, { recursive: true, mode: 0o700 });

  let slot: NetworkSlot | undefined;
  step("network", async () => {
    if (slot) await parts.slots.release(slot);
  });
  const { driver } = parts;
  const { source } = request;
  const diskImage = `${workDir}/disk.img`;
  const withoutDisk = source && driver.traits.diskInCheckpoint;
  // Both settle before this goes on, so that neither appears after the stack was unwound.
  const taken = await Promise.allSettled([
    parts.slots.acquire(signal).then((acquired) => slot = acquired),
    withoutDisk ? undefined : parts.disks.take(diskImage, signal),
  ]);
  for (const result of taken) if (result.status === "rejected") throw result.reason;
  signal.throwIfAborted();

  const cgroup = new Cgroup(`${parts.cgroupParent}/${request.id}`, parts.cgroups);
  step("cgroup", async () => {
    await cgroup.kill();
    await cgroup.remove();
  });
  const { machineMemoryBytes = 0 } = parts.driver.traits;
  cgroup.create({
    memoryBytes: request.memoryBytes + parts.limits.machineMemoryMb * MiB + machineMemoryBytes,
    pids: parts.limits.pids + parts.limits.machinePids,
  });
  if (request.ahead) cgroup.setWeight(AHEAD_WEIGHT);

  let inUse = false;
  const letGo = async () => {
    if (!source || !inUse) return;
    inUse = false;
    if (--source.users === 0) await source.unused?.();
  };
  if (source) {
    source.users++;
    inUse = true;
    step("checkpoint", letGo);
  }
  const hostname = hostnameOf(request.id);
  const spec: LaunchSpec = {
    id: request.id,
    image: source?.image ?? { digest: parts.image.digest, rootfs: parts.image.rootfs },
    layers: parts.layers,
    diskImage,
    ...(attached && { volumes: attached.volumes, rootVolume: attached.rootVolume }),
    workDir,
    hostname,
    resolvConf: resolvConf(parts),
    hosts: hostsFile(slot!.guestAddress, hostname),
    network: slot!,
    cgroup: cgroup.path,
    memoryBytes: request.memoryBytes,
    logBytes: parts.limits.logBytes,
    init: request.init(slot!),
  };
  const machine = source
    ? await driver.restore(
      spec,
      { directory: source.directory, ...(source.written && { written: source.written }) },
      signal,
    )
    : await driver.launch(spec, signal);
  step("machine", () => machine.stop());
  const mapped = driver.traits.diskInCheckpoint;
  return { machine, cgroup, slot: slot!, letGoOfSource: mapped ? async () => {} : letGo };
}

/** One step of a teardown: bounded in time, tried twice, never the reason that others are left out. */
async function takeBack(
  log: Log,
  id: string,
  what: string,
  work: () => Promise<void>,
): Promise<void> {
  for (const attempt of [1, 2]) {
    try {
      return await withDeadline(`taking back the ${what}`, STEP_DEADLINE_MS, work);
    } catch (error) {
      log.error("teardown step failed; the next start of the daemon repeats it", {
        sandbox: id,
        step: what,
        attempt,
        error: String(error),
      });
    }
  }
}

export function hostnameOf(id: string): string {
  return id.replaceAll("_", "-");
}

export function resolvConf({ slots }: Pick<EngineParts, "slots">): string {
  return slots.resolvers.map((address) => `nameserver ${address}\n`).join("");
}

export function hostsFile(address: string, hostname: string): string {
  return [
    "127.0.0.1 localhost",
    "::1 localhost ip6-localhost ip6-loopback",
    `${address} ${hostname}`,
    "",
  ].join("\n");
}

export async function removeTree(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

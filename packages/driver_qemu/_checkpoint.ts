import type { CheckpointReport } from "@paddock/driver";
import { copySparse, writeChangedMemory } from "@paddock/driver/vm";
import { CHECKPOINT, type CheckpointNote, writeNote } from "./_checkpoint_files.ts";
import { applyOverlay } from "./qcow2.ts";
import type { MachineSource } from "./_qemu_machine.ts";
import type { QmpClient } from "./qmp_client.ts";
import { VIEW } from "./machine_arguments.ts";

export interface CheckpointRequest {
  /** Exists, empty. */
  directory: string;
  source: MachineSource;
  note: CheckpointNote;
  control: QmpClient;
  pid: () => number;
  /** The directory of the machine that QEMU may write in. */
  run: string;
  disk: string;
  /** Whether the machine stands still already, and shall go on to. */
  paused: boolean;
  number: number;
  answerMs: number;
}

/**
 * Writes all of a machine into a directory. What the machine was started from does not change and is
 * copied while it runs; it stands still only for what is its own: devices, and the pages and blocks
 * that it has changed.
 */
export async function writeCheckpoint(
  request: CheckpointRequest,
  signal: AbortSignal,
): Promise<CheckpointReport> {
  const { directory, source, control, answerMs, paused } = request;
  const at = (name: string) => `${directory}/${name}`;
  const options = { signal, deadlineMs: answerMs };
  const state = `state-${request.number}`;
  await copySparse(source.memory, at(CHECKPOINT.memory), signal);
  if (source.baseDisk !== undefined) {
    await copySparse(source.baseDisk, at(CHECKPOINT.disk), signal);
  }
  await linkOrCopy(source.layers, at(CHECKPOINT.layers), signal);

  const stopped = performance.now();
  let pausedMs = 0;
  try {
    // QEMU has written every block that is on its way when this returns.
    await control.execute("stop", undefined, options);
    const filename = `${VIEW.run}/${state}`;
    await control.execute("xen-save-devices-state", { filename, live: false }, options);
    const { ino } = await Deno.stat(source.memory);
    const memory = { pid: request.pid(), inode: ino!, bytes: source.machineBytes };
    await writeChangedMemory(memory, at(CHECKPOINT.memory));
    if (source.baseDisk === undefined) await copySparse(request.disk, at(CHECKPOINT.disk), signal);
    else await applyOverlay(request.disk, at(CHECKPOINT.disk));
  } finally {
    // Whatever went wrong, the machine is as it was: an abort must not leave it standing.
    if (!paused) await control.execute("cont", undefined, { deadlineMs: answerMs }).catch(() => {});
    pausedMs = performance.now() - stopped;
  }
  signal.throwIfAborted();
  await copySparse(`${request.run}/${state}`, at(CHECKPOINT.state), signal);
  await Deno.remove(`${request.run}/${state}`);
  // The machines that go on from here run as users of their own.
  for (const name of [CHECKPOINT.state, CHECKPOINT.memory, CHECKPOINT.disk]) {
    await Deno.chmod(at(name), 0o644);
  }
  writeNote(directory, request.note);
  return { pausedMs };
}

/** A link keeps what it links to from being removed; another filesystem gets a copy. */
async function linkOrCopy(from: string, to: string, signal: AbortSignal): Promise<void> {
  try {
    await Deno.link(from, to);
  } catch {
    await copySparse(from, to, signal);
    await Deno.chmod(to, 0o644);
  }
}

export async function removeDirectory(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

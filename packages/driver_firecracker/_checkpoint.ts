import { join } from "node:path";
import { type CheckpointReport, type LaunchSpec, runCommand } from "@paddock/driver";
import { copySparse } from "@paddock/driver/vm";
import type { ApiClient } from "./_api_client.ts";
import {
  CHECKPOINT_FILES,
  type CheckpointManifest,
  linkFile,
  takeFile,
  writeManifest,
} from "./_checkpoint_files.ts";
import { type Jail, JAIL_FILES } from "./_jail.ts";

/** A snapshot writes the memory at the disk's pace. */
const SNAPSHOT_DEADLINE_MS = 5 * 60_000;
const DIG_DEADLINE_MS = 5 * 60_000;

export interface CheckpointRequest {
  /** Exists, empty. */
  directory: string;
  spec: LaunchSpec;
  api: ApiClient;
  jail: Jail;
  layers: string;
  manifest: CheckpointManifest;
  /** The memory as it was when the VMM last began to note what changes; all of it is written without. */
  base?: string;
  /** Whether the machine stands still already, and shall go on to. */
  paused: boolean;
}

/**
 * Writes all of a machine into a directory. With a base, Firecracker writes only the pages that have
 * changed, into a copy of the base that was made while the machine still ran.
 */
export async function writeCheckpoint(
  request: CheckpointRequest,
  signal: AbortSignal,
): Promise<CheckpointReport> {
  const { directory, spec, api, jail, layers, base } = request;
  const at = (name: keyof typeof CHECKPOINT_FILES) => join(directory, CHECKPOINT_FILES[name]);
  const written = (name: "memory" | "state") => join(jail.snapshots, name);
  let pausedMs = 0;
  await jail.clearSnapshots();
  try {
    if (base !== undefined) {
      await copySparse(base, written("memory"), signal);
      await Deno.chmod(written("memory"), 0o600);
      await Deno.chown(written("memory"), jail.uid, jail.uid);
    }
    if (!await linkFile(layers, at("layers"))) await copySparse(layers, at("layers"), signal);
    await jail.openSnapshots(true);
    const stopped = performance.now();
    try {
      if (!request.paused) await api.vmState("Paused", { signal });
      await api.createSnapshot({
        snapshot_type: base === undefined ? "Full" : "Diff",
        snapshot_path: JAIL_FILES.snapshotState,
        mem_file_path: JAIL_FILES.snapshotMemory,
      }, { signal, deadlineMs: SNAPSHOT_DEADLINE_MS });
      await copySparse(spec.diskImage, at("disk"), signal);
    } finally {
      // Whatever went wrong, the machine is as it was: an abort must not leave it standing.
      if (!request.paused) await api.vmState("Resumed", { deadlineMs: SNAPSHOT_DEADLINE_MS });
      pausedMs = performance.now() - stopped;
    }
    signal.throwIfAborted();
    await jail.openSnapshots(false);
    await takeFile(written("memory"), at("memory"), signal);
    await takeFile(written("state"), at("state"), signal);
    if (base === undefined) await digHoles(at("memory"), signal);
    await writeManifest(directory, request.manifest);
    return { pausedMs };
  } finally {
    await jail.openSnapshots(false);
    await jail.clearSnapshots();
  }
}

/** A full snapshot has every page in it; those that the guest never used take no room from here on. */
async function digHoles(path: string, signal: AbortSignal): Promise<void> {
  const dug = await runCommand(["fallocate", "--dig-holes", path], {
    signal,
    deadlineMs: DIG_DEADLINE_MS,
  });
  // Some filesystems have no holes; the file is as good without.
  if (!dug.ok) signal.throwIfAborted();
}

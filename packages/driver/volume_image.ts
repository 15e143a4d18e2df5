import { runCommand } from "./run_command.ts";

const SECTOR = 512;

export interface VolumeImageOptions {
  /** Who owns the filesystem's root directory. */
  owner: { uid: number; gid: number };
  /** A directory whose content is put into it. */
  contents?: string;
  signal?: AbortSignal;
}

/**
 * Makes a sparse image of `bytes` with an ext4 in it that survives a crash of the host: unlike a
 * sandbox's disk it has a journal. No block is kept for root, so that its capacity is the guest's.
 */
export async function createVolumeImage(
  path: string,
  bytes: number,
  options: VolumeImageOptions,
): Promise<void> {
  const { owner: { uid, gid }, contents, signal } = options;
  await resizeFile(path, bytes, { createNew: true });
  await must([
    ...["mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096"],
    ...["-E", `lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=${uid}:${gid}`],
    ...(contents === undefined ? [] : ["-d", contents]),
    path,
  ], signal);
  // A program that wants an empty directory gets one. e2fsck makes it anew should it need it.
  await must(["debugfs", "-w", "-R", "rmdir lost+found", path], signal);
}

/** Repairs what a crash left, by the filesystem's journal. Only for images the host has written. */
export async function checkVolumeImage(path: string, signal?: AbortSignal): Promise<void> {
  const done = await run(["e2fsck", "-p", path], signal);
  // 1: it repaired something.
  if (!done.ok && done.code !== 1) throw new Error(`e2fsck found ${path} broken: ${done.stdout}`);
}

/** Makes an image that the host has written larger. */
export async function growVolumeImage(
  path: string,
  bytes: number,
  signal?: AbortSignal,
): Promise<void> {
  await resizeFile(path, bytes, {});
  await must(["e2fsck", "-f", "-p", path], signal, [1]);
  await must(["resize2fs", path], signal);
}

/** For an image that a guest's kernel writes: the guest sees the larger drive, and fills it itself. */
export async function lengthenVolumeImage(path: string, bytes: number): Promise<void> {
  await resizeFile(path, bytes, {});
}

/** Where an ext4 keeps what a kernel must be able to do to mount it, and the bit for a journal to replay. */
const INCOMPATIBLE_AT = 1024 + 0x60;
const NEEDS_RECOVERY = 0x4;

/** Whether the filesystem was left as a crash leaves it, and whoever mounts it next writes first. */
export async function wasCutOff(path: string): Promise<boolean> {
  using file = await Deno.open(path, { read: true });
  await file.seek(INCOMPATIBLE_AT, Deno.SeekMode.Start);
  const flags = new Uint8Array(1);
  await file.read(flags);
  return (flags[0] & NEEDS_RECOVERY) !== 0;
}

/**
 * A copy that shares its blocks with the original where the filesystem can (reflink), and elsewhere
 * takes as many as the original has. Complete, and on the disk, when it resolves.
 */
export async function copyVolumeImage(
  from: string,
  to: string,
  signal?: AbortSignal,
): Promise<void> {
  await must(["cp", "--reflink=auto", "--sparse=always", "--", from, to], signal);
  await syncFile(to);
}

export async function syncFile(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true });
  await file.sync();
}

/** Makes renames and removals in a directory survive a crash. */
export async function syncDirectory(path: string): Promise<void> {
  using directory = await Deno.open(path, { read: true });
  await directory.sync();
}

export interface VolumeImageSize {
  /** What it would take if it shared nothing. */
  flattened: number;
  /** What it takes that no other file shares. */
  allocated: number;
}

export async function volumeImageSize(
  path: string,
  signal?: AbortSignal,
): Promise<VolumeImageSize> {
  const { blocks } = await Deno.stat(path);
  const flattened = (blocks ?? 0) * SECTOR;
  const map = await runCommand(["filefrag", "-v", "-b1024", path], { signal });
  return { flattened, allocated: Math.max(0, flattened - sharedBytes(map.stdout)) };
}

/** Lines such as `  0:        0..       7:      34816..     34823:      8:             shared,eof`. */
export function sharedBytes(map: string): number {
  let kibibytes = 0;
  for (const line of map.split("\n")) {
    const extent = /^\s*\d+:.*?\.\..*?:.*?\.\..*?:\s*(\d+):.*\bshared\b/.exec(line);
    if (extent) kibibytes += Number(extent[1]);
  }
  return kibibytes * 1024;
}

/** The caller's signal is the bound that counts; this one is there when it gives none. */
const LONGEST_MS = 60 * 60_000;

/** Ends with the daemon: the next one removes what was half made, and nobody may go on making it. */
function run(command: string[], signal?: AbortSignal) {
  return runCommand(["setpriv", "--pdeathsig", "KILL", ...command], {
    signal,
    deadlineMs: LONGEST_MS,
  });
}

async function must(command: string[], signal?: AbortSignal, also: number[] = []): Promise<void> {
  const done = await run(command, signal);
  if (done.ok || also.includes(done.code)) return;
  throw new Error(`${command[0]} failed: ${done.stderr || done.stdout}`);
}

async function resizeFile(
  path: string,
  bytes: number,
  how: { createNew?: boolean },
): Promise<void> {
  using file = await Deno.open(path, { write: true, mode: 0o600, ...how });
  await file.truncate(bytes);
}

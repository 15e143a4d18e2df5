import { join } from "node:path";

/** How a jailed VMM names its files; a snapshot holds these names, so that every jail has the same. */
export const JAIL_FILES = {
  kernel: "/vmlinux",
  initramfs: "/initramfs",
  root: "/root.erofs",
  disk: "/disk.ext4",
  layers: "/layers.erofs",
  memory: "/memory",
  state: "/state",
  snapshotMemory: "/snapshots/memory",
  snapshotState: "/snapshots/state",
  api: "/api.socket",
  log: "/log.fifo",
  metrics: "/metrics.fifo",
} as const;

const SNAPSHOTS = "/snapshots";
/** Open files of a VMM at most: it has about thirty. */
const OPEN_FILES = 256;
/** The jailer's limit. */
const MAX_ID = 64;

export interface JailOptions {
  id: string;
  /** Directory of this machine only, below which the jailer lays out its chroot. */
  workDir: string;
  firecracker: string;
  jailer: string;
  uid: number;
  netns?: string;
}

/** A file of the host that the VMM sees in its jail. */
export interface JailMount {
  source: string;
  target: string;
  readOnly: boolean;
}

/** One machine's chroot, as the jailer lays it out. */
export class Jail {
  /** Of the host. */
  readonly root: string;
  /**
   * Where the VMM writes snapshots, as the host names it: the jail's own directories belong to the VMM,
   * and no path of the host's leads through them.
   */
  readonly snapshots: string;
  readonly id: string;
  readonly fstab: string;
  readonly uid: number;
  readonly #options: JailOptions;

  constructor(options: JailOptions) {
    this.#options = options;
    this.uid = options.uid;
    // The jailer takes letters, digits and hyphens.
    this.id = options.id.replaceAll(/[^A-Za-z0-9-]/g, "-").slice(0, MAX_ID);
    const program = options.firecracker.split("/").at(-1)!;
    this.root = join(options.workDir, "jail", program, this.id, "root");
    this.snapshots = join(options.workDir, "snapshots");
    this.fstab = join(options.workDir, "fstab");
  }

  path(name: string): string {
    return join(this.root, name);
  }

  /** Arguments that start Firecracker in the jail; its system call filter is the built-in one. */
  jailerArguments(): string[] {
    const { jailer, firecracker, uid, workDir, netns } = this.#options;
    return [
      ...[jailer, "--id", this.id, "--exec-file", firecracker],
      ...["--uid", String(uid), "--gid", String(uid)],
      ...["--chroot-base-dir", join(workDir, "jail")],
      ...(netns === undefined ? [] : ["--netns", netns]),
      // The engine's cgroup holds this process already: the jailer is given none to make.
      ...["--resource-limit", `no-file=${OPEN_FILES}`],
      ...["--", "--api-sock", JAIL_FILES.api],
      ...["--log-path", JAIL_FILES.log, "--level", "Warn"],
      ...["--metrics-path", JAIL_FILES.metrics],
    ];
  }

  /** Makes the chroot and a place in it for each of the files that are mounted there. */
  async prepare(mounts: JailMount[]): Promise<void> {
    await Deno.mkdir(this.root, { recursive: true, mode: 0o700 });
    await Deno.mkdir(this.snapshots, { mode: 0o700 });
    await Deno.mkdir(this.path(SNAPSHOTS), { mode: 0o700 });
    for (const { target } of mounts) {
      await Deno.writeFile(this.path(target), new Uint8Array(), { createNew: true, mode: 0o400 });
    }
    const lines = mounts.map(({ source, target, readOnly }) =>
      mountLine(source, this.path(target), `bind,${readOnly ? "ro" : "rw"},nosuid,nodev,noexec`)
    );
    lines.push(mountLine(this.snapshots, this.path(SNAPSHOTS), "bind,nosuid,nodev,noexec"));
    await Deno.writeTextFile(this.fstab, lines.join(""), { mode: 0o600 });
  }

  /** A file in the jail that the VMM alone reads. */
  async write(name: string, parts: Uint8Array[]): Promise<void> {
    const path = this.path(name);
    using file = await Deno.open(path, { write: true, createNew: true, mode: 0o400 });
    for (const part of parts) {
      for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
    }
    await Deno.chown(path, this.uid, this.uid);
  }

  /** Lets the VMM write in its directory of snapshots, or keeps it out from here on. */
  async openSnapshots(open: boolean): Promise<void> {
    const owner = open ? this.uid : 0;
    await Deno.chown(this.snapshots, owner, owner);
  }

  /** Removes whatever the VMM has left there; it is to be kept out while this runs. */
  async clearSnapshots(): Promise<void> {
    for await (const { name } of Deno.readDir(this.snapshots)) {
      await Deno.remove(join(this.snapshots, name), { recursive: true });
    }
  }
}

function mountLine(source: string, target: string, options: string): string {
  return `${[source, target, "none", options].map(escapeField).join(" ")} 0 0\n`;
}

function escapeField(field: string): string {
  return field.replaceAll(
    /[\s\\]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}

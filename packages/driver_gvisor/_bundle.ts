import { type LaunchSpec, LAYERS_PATH } from "@paddock/driver";
import { layOutVolumes, type VolumeLayout } from "./_volume_layout.ts";

/** The files that a machine is started from, all below its work directory. */
export interface Bundle {
  /** Directory of config.json and fstab. */
  path: string;
  /** Value of `--overlay2`: where what the guest writes to its root goes. */
  overlay: string;
  /** Small tmpfs of the machine, mounted before the fstab; empty when it needs none. */
  scratch: string;
}

/**
 * What root in the guest may do inside the guest. gVisor is the boundary, not this list: it is what
 * apt, su, servers and debuggers need, less what only speaks to hardware or the host's clock.
 */
const CAPABILITIES = [
  "CAP_AUDIT_WRITE",
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_MKNOD",
  "CAP_NET_BIND_SERVICE",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  // For the host name, which a restored machine is told; mounts of a guest stay inside of it.
  "CAP_SYS_ADMIN",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
];

const OPEN_FILES = 65_536;

export async function writeBundle(spec: LaunchSpec): Promise<Bundle> {
  const diskMount = `${spec.workDir}/disk`;
  const root = `${spec.workDir}/root`;
  const layers = `${spec.workDir}/layers`;
  const volumes = layOutVolumes(spec, root);
  const bundle = {
    path: spec.workDir,
    overlay: volumes.writableRoot ? "none" : `root:dir=${diskMount}`,
    scratch: volumes.scratch,
  };
  const files: Record<string, string> = {
    "config.json": JSON.stringify(ociConfig(spec, root, layers, volumes)),
    "resolv.conf": spec.resolvConf,
    "hosts": spec.hosts,
    "hostname": `${spec.hostname}\n`,
    "meminfo": meminfo(spec.memoryBytes),
    "fstab": fstab([
      ...volumes.rootEntries,
      // Read-only here as well: a guest's root can make the sentry write through its own mount.
      [spec.layers, layers, "none", "bind,ro"],
      [`${spec.workDir}/meminfo`, "/proc/meminfo", "none", "bind,ro"],
      // Not noexec: the guest's own programs are mapped from the file that gVisor keeps here.
      [spec.diskImage, diskMount, "ext4", "loop,noatime,nodev,nosuid,discard"],
      ...volumes.entries,
    ]),
  };
  Deno.mkdirSync(root, { recursive: true });
  Deno.mkdirSync(layers, { recursive: true });
  Deno.mkdirSync(diskMount, { recursive: true });
  for (const directory of volumes.directories) Deno.mkdirSync(directory, { recursive: true });
  await Promise.all(
    Object.entries(files).map(([name, text]) =>
      Deno.writeTextFile(`${spec.workDir}/${name}`, text, { mode: 0o600 })
    ),
  );
  // The guest sees these three with the modes they have here.
  for (const name of ["resolv.conf", "hosts", "hostname"]) {
    Deno.chmodSync(`${spec.workDir}/${name}`, 0o644);
  }
  return bundle;
}

/**
 * runsc takes the guest's memory size from the host's. Its processes see this file in place of the
 * host's /proc/meminfo, and so the guest, its `free` and its JavaScript heaps see their own size.
 */
function meminfo(bytes: number): string {
  return `MemTotal:       ${Math.floor(bytes / 1024)} kB\n`;
}

function ociConfig(spec: LaunchSpec, root: string, layers: string, volumes: VolumeLayout) {
  const half = Math.floor(spec.memoryBytes / 2);
  const tmpfs = (destination: string, mode: string) => ({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "nodev", `mode=${mode}`, `size=${half}`],
  });
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: spec.init.args,
      env: Object.entries(spec.init.env).map(([name, value]) => `${name}=${value}`),
      cwd: spec.init.cwd,
      capabilities: {
        bounding: CAPABILITIES,
        effective: CAPABILITIES,
        permitted: CAPABILITIES,
        inheritable: [],
        ambient: [],
      },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: OPEN_FILES, soft: OPEN_FILES }],
      noNewPrivileges: false,
    },
    root: { path: root, readonly: false },
    hostname: spec.hostname,
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs" },
      { destination: "/dev/pts", type: "devpts", source: "devpts" },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] },
      tmpfs("/dev/shm", "1777"),
      tmpfs("/tmp", "1777"),
      tmpfs("/run", "0755"),
      ...volumes.rootMounts,
      {
        destination: LAYERS_PATH,
        type: "bind",
        source: layers,
        options: ["bind", "ro", "nosuid", "nodev"],
      },
      ...volumes.mounts,
    ],
    linux: {
      namespaces: [
        { type: "pid" },
        { type: "ipc" },
        { type: "uts" },
        { type: "mount" },
        { type: "network", path: `/run/netns/${spec.network.namespace}` },
      ],
    },
  };
}

function fstab(entries: string[][]): string {
  return entries.map((fields) => `${fields.map(escapeField).join(" ")} 0 0\n`).join("");
}

function escapeField(field: string): string {
  return field.replaceAll(
    /[\s\\]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}

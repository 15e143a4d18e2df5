import { type LaunchSpec, LAYERS_PATH } from "../driver.ts";
import { cpioArchive } from "./cpio_archive.ts";
import { GUEST_NETWORK } from "./guest_network.ts";

/** Block devices in the order in which the guest finds them. */
export const DRIVES = { root: "vda", disk: "vdb", layers: "vdc" } as const;

/**
 * How the guest ends its machine, as a key of its kernel's SysRq: by switching the power off, or by
 * a reset where there is no power to switch.
 */
export type EndBy = "o" | "b";

/** How a machine ends in order. */
export interface MachineEnd {
  by: EndBy;
  /** How the host tells the guest to: a break on the serial port, or Ctrl+Alt+Del. */
  wish: "serial" | "keyboard";
}

/** The drives after them: a root of its own if there is one, then the volumes in their order. */
export function volumeDrives({ rootVolume, volumes = [] }: LaunchSpec): VolumeDrives {
  const first = Object.keys(DRIVES).length;
  const drive = (index: number) => `vd${String.fromCharCode(0x61 + first + index)}`;
  const roots = rootVolume ? 1 : 0;
  return {
    ...(rootVolume && { root: drive(0) }),
    volumes: volumes.map((_, index) => drive(roots + index)),
  };
}

interface VolumeDrives {
  root?: string;
  volumes: string[];
}

const OPEN_FILES = 65_536;

/**
 * What the guest is told for one launch, as an archive that is appended to the initramfs. It holds
 * secrets: the guest's init has removed all of it before the first program of the guest runs.
 */
export function launchConfig(spec: LaunchSpec, end: MachineEnd): Uint8Array<ArrayBuffer> {
  const { rootVolume, volumes = [] } = spec;
  const drives = volumeDrives(spec);
  const mode = ({ readOnly }: { readOnly: boolean }) => readOnly ? "ro" : "rw";
  const launch: Record<string, string> = {
    root_drive: DRIVES.root,
    disk_drive: DRIVES.disk,
    layers_drive: DRIVES.layers,
    layers_path: LAYERS_PATH,
    root_volume_drive: drives.root ?? "",
    root_volume_mode: rootVolume ? mode(rootVolume) : "",
    volume_drives: drives.volumes.join(" "),
    address: GUEST_NETWORK.address,
    prefix: String(GUEST_NETWORK.prefixLength),
    gateway: GUEST_NETWORK.gateway,
    end_by: end.by,
    end_wish: end.wish,
  };
  const files: Record<string, string> = {
    launch: Object.entries(launch).map(([name, value]) => `${name}=${quote(value)}\n`).join(""),
    start: startScript(spec.init),
    // A path holds no control characters, so no line break either.
    "volumes.list": volumes.map((volume, index) =>
      `${drives.volumes[index]}\n${mode(volume)}\n${volume.path}\n`
    ).join(""),
    hostname: `${spec.hostname}\n`,
    // The sandbox's address is its namespace's: inside, the host's name leads to the guest's own.
    hosts: spec.hosts.replaceAll(spec.network.guestAddress, GUEST_NETWORK.address),
    "resolv.conf": spec.resolvConf,
  };
  const encoder = new TextEncoder();
  return cpioArchive([
    { path: "paddock", mode: 0o040700 },
    ...Object.entries(files).map(([name, text]) => ({
      path: `paddock/${name}`,
      mode: 0o100600,
      content: encoder.encode(text),
    })),
  ]);
}

/** The configuration of a guest without drives, which says that it has booted and ends. */
export function probeConfig(endBy: EndBy): Uint8Array<ArrayBuffer> {
  const content = new TextEncoder().encode(`probe=yes\nend_by=${endBy}\n`);
  return cpioArchive([
    { path: "paddock", mode: 0o040700 },
    { path: "paddock/launch", mode: 0o100600, content },
  ]);
}

/** What a guest with `probeConfig` says. */
export const PROBE_ANSWER = "paddock: the probe has booted";

function startScript(init: LaunchSpec["init"]): string {
  const env = Object.entries(init.env).map(([name, value]) => quote(`${name}=${value}`));
  return [
    // This very file is in there.
    "rm -rf /run/paddock-boot",
    `ulimit -n ${OPEN_FILES}`,
    `cd ${quote(init.cwd)} || exit 126`,
    `exec env -i ${env.join(" ")} ${init.args.map(quote).join(" ")}`,
    "",
  ].join("\n");
}

/** One word of a shell, whatever is in it. */
function quote(text: string): string {
  if (text.includes("\0")) throw new TypeError("what a guest is told may not hold a NUL character");
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

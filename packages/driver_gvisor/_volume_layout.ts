import type { LaunchSpec } from "@paddock/driver";

/** Lines of an fstab: what, where, type, options. */
type FstabEntries = string[][];

interface OciMount {
  destination: string;
  type: string;
  source: string;
  options: string[];
}

/** How a machine's root and volumes come about, in its own mount namespace and in the guest. */
export interface VolumeLayout {
  /** The guest writes to its root itself: nothing is put over it. */
  writableRoot: boolean;
  /** Directories to be made for the mounts. */
  directories: string[];
  scratch: string;
  rootEntries: FstabEntries;
  entries: FstabEntries;
  /** In the guest: what a root that is no image lacks, and the volumes. */
  rootMounts: OciMount[];
  mounts: OciMount[];
}

const WRITTEN = "loop,noatime,nodev,nosuid,discard";
const ONLY_READ = "loop,ro,noatime,nodev,nosuid";

/** Files that each machine has its own of, beside its configuration. */
const ETC_FILES = ["resolv.conf", "hosts", "hostname"];
const AGENT_PATH = "/opt/paddock";

/**
 * A volume is mounted on the host, by the machine's mount namespace alone, and the guest sees that
 * directory as it would see any other of the host.
 *
 * Nothing is mounted inside a root that a guest has written, for its symbolic links would lead the
 * host: there the guest's own files of /etc and the agent's are mounts of the guest, which runsc puts
 * in place without leaving the root.
 */
export function layOutVolumes(spec: LaunchSpec, root: string): VolumeLayout {
  const { rootVolume, workDir, image } = spec;
  const volumes = spec.volumes ?? [];
  const writableRoot = rootVolume !== undefined && !rootVolume.readOnly;
  // runsc makes the places of mounts in the root it is given, and cannot in one that is read-only.
  const overlaid = !writableRoot && (volumes.length > 0 || rootVolume !== undefined);
  const scratch = overlaid || rootVolume ? `${workDir}/scratch` : "";
  const layout: VolumeLayout = {
    ...{ writableRoot, scratch, directories: scratch === "" ? [] : [scratch] },
    ...{ rootEntries: [], entries: [], rootMounts: [], mounts: [] },
  };
  const lower = overlaid && rootVolume ? `${workDir}/lower` : root;
  if (rootVolume) {
    layout.directories.push(lower);
    layout.rootEntries.push([rootVolume.image, lower, "ext4", writableRoot ? WRITTEN : ONLY_READ]);
    addRootMounts(layout, spec);
  }
  if (overlaid) {
    const [below, upper, work] = [rootVolume ? lower : image.rootfs, "upper", "work"];
    layout.rootEntries.push([
      ...["paddock", root, "overlay"],
      `lowerdir=${escapeLower(below)},upperdir=${scratch}/${upper},workdir=${scratch}/${work}`,
    ]);
  } else if (!rootVolume) {
    layout.rootEntries.push([image.rootfs, root, "none", "bind,ro"]);
  }
  if (!rootVolume) {
    for (const name of ETC_FILES) {
      layout.rootEntries.push([`${workDir}/${name}`, `${root}/etc/${name}`, "none", "bind,ro"]);
    }
  }
  for (const [index, volume] of volumes.entries()) {
    const place = `${workDir}/volumes/${index}`;
    layout.directories.push(place);
    layout.entries.push([volume.image, place, "ext4", volume.readOnly ? ONLY_READ : WRITTEN]);
    layout.mounts.push(bind(place, volume.path, volume.readOnly ? "ro" : "rw"));
  }
  return layout;
}

/** The agent is the image's, whatever is on the volume: it has to speak with this daemon. */
function addRootMounts(layout: VolumeLayout, { workDir, image }: LaunchSpec): void {
  const agent = `${workDir}/agent`;
  layout.directories.push(agent);
  layout.rootEntries.push([`${image.rootfs}${AGENT_PATH}`, agent, "none", "bind,ro"]);
  layout.rootMounts.push(bind(agent, AGENT_PATH, "ro"));
  for (const name of ETC_FILES) {
    // In the scratch, whose size is bounded: the guest may write to them.
    layout.rootMounts.push(bind(`${layout.scratch}/etc/${name}`, `/etc/${name}`, "rw"));
  }
}

function bind(source: string, destination: string, access: "ro" | "rw"): OciMount {
  return { destination, type: "bind", source, options: ["bind", access, "nosuid", "nodev"] };
}

function escapeLower(path: string): string {
  return path.replaceAll(/[\\:]/g, "\\$&");
}

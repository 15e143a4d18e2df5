import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { constants } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** What Paddock needs of the host, and the Debian package that has each. */
export const requiredPrograms = [
  { program: "runsc", package: "runsc", for: "running sandboxes (gVisor)" },
  { program: "nft", package: "nftables", for: "filtering what sandboxes send" },
  { program: "ip", package: "iproute2", for: "network namespaces" },
  { program: "mkfs.ext4", package: "e2fsprogs", for: "sandbox disks" },
  { program: "losetup", package: "mount", for: "sandbox disks" },
  { program: "mount", package: "mount", for: "sandbox disks" },
  { program: "nsenter", package: "util-linux", for: "network namespaces" },
  { program: "unshare", package: "util-linux", for: "mount namespaces" },
  { program: "setpriv", package: "util-linux", for: "ending builders with their parent" },
  { program: "mmdebstrap", package: "mmdebstrap", for: "building the guest image" },
];

const debianKeys = {
  program: "/usr/share/keyrings/debian-archive-keyring.gpg",
  package: "debian-archive-keyring",
  for: "checking what the guest image is built from",
};

const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** The first day of the year from which on runsc can do what the driver asks of it. */
const oldestRunsc = 20230101;

export async function findMissingPrograms() {
  const missing = [];
  for (const required of requiredPrograms) {
    const path = await findProgram(required.program);
    if (!path) missing.push(required);
    else if (required.program === "runsc" && await isOldRunsc(path)) {
      missing.push({ ...required, for: `${required.for}; the one installed is too old` });
    }
  }
  if (!await isReadable(debianKeys.program)) missing.push(debianKeys);
  return missing;
}

async function findProgram(name) {
  for (const folder of folders) {
    const path = join(folder, name);
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
}

async function isOldRunsc(path) {
  try {
    const { stdout } = await promisify(execFile)(path, ["--version"], { timeout: 10_000 });
    const date = runscDate(stdout);
    return date !== undefined && date < oldestRunsc;
  } catch {
    // One that does not even say its version is replaced.
    return true;
  }
}

/** The day in a version such as `0.0~20240729.0` or `release-20240729.0`. */
export function runscDate(versionText) {
  const match = versionText.match(/(20\d{6})/);
  return match ? Number(match[1]) : undefined;
}

async function isReadable(path) {
  return await access(path, constants.R_OK).then(() => true, () => false);
}

import { execFile } from "node:child_process";
import { access, open } from "node:fs/promises";
import { constants } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** What Paddock needs of the host, and the Debian package that has each. */
export const requiredPrograms = [
  { program: "runsc", package: "runsc", for: "running sandboxes (gVisor)" },
  { program: "nft", package: "nftables", for: "filtering what sandboxes send" },
  { program: "ip", package: "iproute2", for: "network namespaces" },
  { program: "mkfs.ext4", package: "e2fsprogs", for: "sandbox disks" },
  { program: "resize2fs", package: "e2fsprogs", for: "volumes" },
  { program: "losetup", package: "mount", for: "sandbox disks" },
  { program: "mount", package: "mount", for: "sandbox disks" },
  { program: "nsenter", package: "util-linux", for: "network namespaces" },
  { program: "unshare", package: "util-linux", for: "mount namespaces" },
  { program: "setpriv", package: "util-linux", for: "ending builders with their parent" },
  { program: "mmdebstrap", package: "mmdebstrap", for: "building the guest image" },
  { program: "tcc", package: "tcc", for: "building the guest image" },
];

/** What the tests and the benchmark need on top: real clients of what a sandbox serves. */
export const testPrograms = [
  { program: "chromium", package: "chromium", for: "testing pages in a browser" },
  { program: "ssh", package: "openssh-client", for: "testing SSH" },
  { program: "scp", package: "openssh-client", for: "testing SSH" },
  { program: "sftp", package: "openssh-client", for: "testing SSH" },
  { program: "mkfs.xfs", package: "xfsprogs", for: "testing copies that share their blocks" },
  { program: "pebble", package: "pebble", for: "testing certificates by ACME" },
];

/** What virtual machines need: for the tests, and wherever there is a QEMU already. */
export const vmPrograms = [
  {
    program: "qemu-system-x86_64",
    package: "qemu-system-x86",
    // Of one version with it.
    with: ["qemu-system-common", "qemu-system-data", "seabios"],
    for: "virtual machines",
  },
  { program: "mkfs.erofs", package: "erofs-utils", for: "the disks of virtual machines" },
  { program: "xz", package: "xz-utils", for: "the kernel of virtual machines" },
];

const staticBusybox = {
  program: "/bin/busybox",
  package: "busybox-static",
  for: "starting virtual machines",
};

/** curl and browsers know these names by themselves; Node, Deno and the C library ask the host. */
const loopbackNames = {
  program: "names below .localhost",
  package: "libnss-myhostname",
  for: "opening preview URLs on this host",
};

const debianKeys = {
  program: "/usr/share/keyrings/debian-archive-keyring.gpg",
  package: "debian-archive-keyring",
  for: "checking what the guest image is built from",
};

const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** The first day of the year from which on runsc can do what the driver asks of it. */
const oldestRunsc = 20230101;
/** The first version of QEMU that can map a guest's memory from a file that it may only read. */
const oldestQemu = 8.2;

/** Whether this host is to run virtual machines besides. */
export async function wantsVms({ tests = false } = {}) {
  if (tests) return true;
  const qemu = await findProgram("qemu-system-x86_64");
  // One that is too old for us is somebody else's business.
  return qemu !== undefined && !await isOldQemu(qemu);
}

export async function findMissingPrograms({ tests = false } = {}) {
  const missing = [];
  const vms = await wantsVms({ tests });
  const wanted = [
    ...requiredPrograms,
    ...(tests ? testPrograms : []),
    ...(vms ? vmPrograms : []),
  ];
  if (vms && !await isStatic(staticBusybox.program)) missing.push(staticBusybox);
  for (const required of wanted) {
    const path = await findProgram(required.program);
    if (!path) missing.push(required);
    else if (required.program === "qemu-system-x86_64" && await isOldQemu(path)) {
      missing.push({ ...required, for: `${required.for}; the one installed is too old` });
    } else if (required.program === "runsc" && await isOldRunsc(path)) {
      missing.push({ ...required, for: `${required.for}; the one installed is too old` });
    }
  }
  if (!await isReadable(debianKeys.program)) missing.push(debianKeys);
  if (!await resolvesLoopbackNames()) missing.push(loopbackNames);
  return missing;
}

/** Asked of a process of its own, which reads the host's settings as they are now. */
async function resolvesLoopbackNames() {
  try {
    await promisify(execFile)("getent", ["ahosts", "setup.sandbox.localhost"], { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
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

async function isOldQemu(path) {
  try {
    const { stdout } = await promisify(execFile)(path, ["--version"], { timeout: 10_000 });
    return !(qemuVersion(stdout) >= oldestQemu);
  } catch {
    return true;
  }
}

/** `8.2` of `QEMU emulator version 8.2.1 (Debian …)`: no minor version has two digits. */
export function qemuVersion(versionText) {
  const match = versionText.match(/version (\d+\.\d+)/);
  return match ? Number(match[1]) : undefined;
}

/** A program that names a loader at its beginning needs libraries. */
async function isStatic(path) {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(4_096), 0, 4_096, 0);
      return !buffer.subarray(0, bytesRead).includes("/ld-");
    } finally {
      await file.close();
    }
  } catch {
    return false;
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

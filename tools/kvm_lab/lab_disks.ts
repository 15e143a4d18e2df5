import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { ensureImage } from "../../images/build_image.ts";
import { repositoryRoot } from "../../images/repository_root.ts";
import { runChild } from "../../images/run_child.ts";
import { ensureVmGuest } from "../../images/vm/vm_guest.ts";
import { packTree } from "../../packages/driver/vm/packed_tree.ts";
import { rootImage } from "../../packages/driver/vm/root_image.ts";

const dataDiskBytes = 12 * 1024 ** 3;
const copyTimeoutMs = 5 * 60_000;

export interface LabDisksOptions {
  dataDir: string;
  /** A directory of this run only. */
  work: string;
  signal: AbortSignal;
  say(line: string): void;
}

/** Disk images of one run; those of the checkout are packed as it is now. */
export interface LabDisks {
  checkout: string;
  nodeModules: string;
  /** An ext4 filesystem, `/var/lib/paddock` of the lab. */
  data: string;
}

export async function buildLabDisks(options: LabDisksOptions): Promise<LabDisks> {
  const { work, signal, say } = options;
  say("packing the checkout, and node_modules when they have changed");
  const checkout = await packTree({
    source: repositoryRoot,
    store: work,
    name: "checkout",
    exclude: "^(\\.git|node_modules)(/|$)",
  }, signal);
  const lock = await Deno.readFile(join(repositoryRoot, "node_modules/.package-lock.json"));
  const nodeModules = await packTree({
    source: join(repositoryRoot, "node_modules"),
    store: join(options.dataDir, "kvm_lab/node_modules"),
    name: createHash("sha256").update(lock).digest("hex").slice(0, 32),
  }, signal);
  return {
    checkout: checkout.path,
    nodeModules: nodeModules.path,
    data: await buildDataDisk(options),
  };
}

/** What a host that has been set up has in its data directory, without the image's tree of files. */
async function buildDataDisk({ dataDir, work, signal, say }: LabDisksOptions): Promise<string> {
  const image = await ensureImage({ dataDir, signal });
  const guest = await ensureVmGuest({ dataDir, signal });
  const root = await rootImage(image, signal);
  say("copying the guest image and its kernel to the lab's disk");
  const staging = join(work, "data");
  const imageDir = join(staging, "images", image.digest);
  const guestDir = join(staging, "vm", guest.digest);
  await Deno.mkdir(join(imageDir, "rootfs"), { recursive: true });
  await Deno.mkdir(guestDir, { recursive: true });
  const copy = (from: string, to: string) =>
    runChild(["cp", "-a", "--link", from, to], { timeoutMs: copyTimeoutMs, signal })
      .catch(() => runChild(["cp", "-a", from, to], { timeoutMs: copyTimeoutMs, signal }));
  await copy(join(dirname(image.rootfs), "manifest.json"), imageDir);
  await copy(dirname(root.path), imageDir);
  await copy(dirname(guest.vmlinux), join(staging, "vm"));
  const disk = join(work, "data.ext4");
  await runChild([
    ...["mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-d", staging],
    ...[disk, `${dataDiskBytes / 1024}k`],
  ], { timeoutMs: copyTimeoutMs, signal });
  await Deno.remove(staging, { recursive: true });
  return disk;
}

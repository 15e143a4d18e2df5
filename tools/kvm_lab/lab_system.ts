import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { runChild } from "../../images/run_child.ts";
import { lockImages } from "../../images/image_lock.ts";
import {
  completeEntry,
  newEntry,
  readManifest,
  removeHalfBuilt,
} from "../../images/image_store.ts";
import { recipe } from "../../images/recipe.ts";
import { labModules } from "./lab_modules.ts";
import { cpioArchive, type CpioEntry } from "../../packages/driver/vm/cpio_archive.ts";
import { packTree } from "../../packages/driver/vm/packed_tree.ts";

/** Raised by hand when the code that puts the system together changes what it produces. */
const layout = 2;
const packages = [
  "busybox-static",
  "e2fsprogs",
  "erofs-utils",
  "iproute2",
  "kmod",
  "linux-image-amd64",
  "mount",
  "nftables",
  "procps",
  "python3-minimal",
];
const buildTimeoutMs = 20 * 60_000;

/** A Debian with a kernel that can be a KVM host, ready to boot. */
export interface LabSystem {
  kernel: string;
  initramfs: string;
  /** An erofs filesystem. */
  root: string;
}

export interface LabSystemOptions {
  dataDir: string;
  signal: AbortSignal;
  say(line: string): void;
}

/** Found in the data directory, or built there: `kvm_lab/<digest>/kernel, initramfs, root/`. */
export async function ensureLabSystem(options: LabSystemOptions): Promise<LabSystem> {
  const { signal, say } = options;
  const dir = join(options.dataDir, "kvm_lab");
  const init = await Deno.readFile(new URL("guest/init", import.meta.url));
  const inputs = JSON.stringify({ layout, packages, suite: recipe.suite });
  const digest = createHash("sha256").update(inputs).update(init).digest("hex").slice(0, 32);
  const place = join(dir, digest);
  const found = await findSystem(place);
  if (found) return found;

  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  await using _lock = await lockImages(join(dir, ".lock"), {
    signal,
    timeoutMs: buildTimeoutMs,
    onWait: () => say("waiting for another process that builds the lab's system"),
  });
  const builtMeanwhile = await findSystem(place);
  if (builtMeanwhile) return builtMeanwhile;
  await removeHalfBuilt({ dir });

  await using stack = new AsyncDisposableStack();
  const temporary = async () => {
    const path = await newEntry({ dir });
    stack.defer(() => Deno.remove(path, { recursive: true }).catch(() => {}));
    return path;
  };
  const [entry, work] = [await temporary(), await temporary()];
  say("building the lab's Debian system (once, a few minutes)");
  const tree = join(work, "tree");
  await runChild([
    ...["mmdebstrap", "--mode=root", "--format=directory", `--variant=${recipe.variant}`],
    `--include=${packages.join(",")}`,
    ...recipe.aptOptions.map((option) => `--aptopt=${option}`),
    ...recipe.dpkgOptions.map((option) => `--dpkgopt=${option}`),
    ...[recipe.suite, tree],
    ...(Deno.env.get("PADDOCK_DEBIAN_MIRROR") ? [Deno.env.get("PADDOCK_DEBIAN_MIRROR")!] : []),
  ], {
    timeoutMs: buildTimeoutMs,
    signal,
    subject: "The lab's system",
    env: { LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive", TMPDIR: dirname(tree) },
  });
  const boot = [...Deno.readDirSync(join(tree, "boot"))].map(({ name }) => name);
  const kernel = boot.find((name) => name.startsWith("vmlinuz-"))!;
  await Deno.copyFile(join(tree, "boot", kernel), join(entry, "kernel"));
  const release = kernel.slice("vmlinuz-".length);
  await Deno.writeFile(join(entry, "initramfs"), await initramfs(tree, release, init));
  await packTree({ source: tree, store: entry, name: "root", exclude: "^boot/" }, signal);
  await Deno.writeTextFile(join(entry, "manifest.json"), JSON.stringify({ digest, release }));
  await completeEntry(entry, place);
  return (await findSystem(place))!;
}

async function findSystem(place: string): Promise<LabSystem | undefined> {
  if (!await readManifest(place)) return undefined;
  return {
    kernel: join(place, "kernel"),
    initramfs: join(place, "initramfs"),
    root: join(place, "root/tree.erofs"),
  };
}

const directories = ["bin", "dev", "lab", "lower", "modules", "new", "proc", "sys", "upper"];

async function initramfs(tree: string, release: string, init: Uint8Array) {
  const modules = await labModules(join(tree, "usr/lib/modules", release));
  const order = new TextEncoder().encode(modules.map(({ name }) => `${name}.ko\n`).join(""));
  const file = (path: string, content: Uint8Array, mode = 0o100600): CpioEntry => ({
    path,
    mode,
    content,
  });
  return cpioArchive([
    ...directories.map((path) => ({ path, mode: 0o040755 })),
    { path: "dev/console", mode: 0o020600, device: [5, 1] as [number, number] },
    file("bin/busybox", await Deno.readFile(join(tree, "usr/bin/busybox")), 0o100755),
    file("init", init, 0o100755),
    file("modules/order", order),
    ...modules.map(({ name, content }) => file(`modules/${name}.ko`, content)),
  ]);
}

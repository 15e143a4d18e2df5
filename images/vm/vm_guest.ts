import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bzImageRelease, carveVmlinux, checkVmlinux } from "./carve_vmlinux.ts";
import {
  chooseKernelFile,
  findDebianKernel,
  type KernelChoice,
  unpackKernel,
} from "./guest_kernel.ts";
import { buildInitramfs } from "./initramfs.ts";
import { checkKernelOptions } from "./kernel_options.ts";
import { findModules } from "./kernel_modules.ts";
import { ImageBuildError } from "../image_build_error.ts";
import { lockImages } from "../image_lock.ts";
import {
  completeEntry,
  defaultDataDir,
  newEntry,
  readManifest,
  removeHalfBuilt,
} from "../image_store.ts";

/** Raised by hand when the code that puts a guest together changes what it produces. */
const layout = 2;

const subject = "The guest of virtual machines";
const busyboxPath = "/bin/busybox";
const defaultTimeoutMs = 15 * 60_000;

export interface VmGuestOptions {
  dataDir: string;
  /** A kernel of the operator's own, bzImage or ELF; Debian's cloud kernel when not given. */
  kernel?: string;
  timeoutMs?: number;
  signal?: AbortSignal;
  onProgress?: (progress: { percent: number; what: string }) => void;
}

/** What every virtual machine boots, by path: the same for QEMU and Firecracker. */
export interface VmGuest {
  digest: string;
  /** Absent when the operator's kernel is an ELF file. */
  bzImage?: string;
  vmlinux: string;
  initramfs: string;
  manifest: VmGuestManifest;
}

export interface VmGuestManifest {
  digest: string;
  kernel: KernelChoice & { release: string };
  /** Of the files as they were built. */
  sha256: Record<string, string>;
  modules: string[];
  /** Where the kernel's options were read, if anywhere; they are all that a guest needs. */
  optionsFrom: string | null;
  /** What of the kernel nothing could tell: for `doctor` to say. */
  unchecked: string[];
  createdAt: string;
}

/**
 * Kernel and initramfs for virtual machines: found in the data directory or the host's default one, or
 * built there. Like an image it appears, complete, by one rename.
 *
 *     vm/<digest>/bzImage, vmlinux, initramfs, manifest.json
 */
export async function ensureVmGuest(options: VmGuestOptions): Promise<VmGuest> {
  const { signal, timeoutMs = defaultTimeoutMs } = options;
  const report = (percent: number, what: string) => options.onProgress?.({ percent, what });
  const stores = [...new Set([options.dataDir, defaultDataDir])].map((dir) => join(dir, "vm"));
  const programs = await readPrograms();
  const kernel = await chooseKernel(options.kernel, signal);
  if (!kernel) {
    // Without apt's lists nothing says that a guest that was built earlier is not current.
    const newest = await newestGuest(stores);
    if (newest) return newest;
    throw new ImageBuildError("apt knows no cloud kernel (linux-image-cloud-amd64)", {
      subject,
      hint: "Run `apt-get update`, or set vm.kernel to a kernel of your own.",
    });
  }
  const digest = digestOf({ layout, kernel, programs: Object.values(programs).map(hashOf) });
  const found = await findGuest(stores, digest);
  if (found) return found;

  const dir = stores[0];
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  await using _lock = await lockImages(join(dir, ".lock"), {
    signal,
    timeoutMs,
    onWait: () => report(0, "waiting for another process that builds it"),
  });
  const builtMeanwhile = await findGuest(stores, digest);
  if (builtMeanwhile) return builtMeanwhile;
  await removeHalfBuilt({ dir });

  await using stack = new AsyncDisposableStack();
  const entry = await newEntry({ dir });
  stack.defer(() => removeIfPresent(entry));
  const work = await newEntry({ dir });
  stack.defer(() => removeIfPresent(work));

  report(
    5,
    kernel.source === "debian" ? `downloading ${kernel.package}` : `reading ${kernel.path}`,
  );
  const unpacked = await unpackKernel(kernel, work, signal);
  report(60, "taking the kernel apart");
  const { vmlinux, bzImage, release } = takeApart(unpacked.image, kernel);
  report(70, "packing the initramfs");
  const modulesDir = unpacked.modulesDir(release);
  const kernelOptions = await checkKernelOptions({
    vmlinux,
    release,
    modulesDir,
    directory: unpacked.directory,
  });
  if (kernelOptions.problems.length > 0) {
    throw new ImageBuildError(`${release} cannot be a guest's kernel`, {
      subject,
      output: kernelOptions.problems,
      hint: "Build the kernel with these options, or leave vm.kernel out for Debian's.",
    });
  }
  const modules = await findModules(modulesDir, signal);
  const initramfs = buildInitramfs({ ...programs, modules });
  const files = { ...(bzImage ? { bzImage } : {}), vmlinux, initramfs };
  const sha256: Record<string, string> = {};
  for (const [name, content] of Object.entries(files)) {
    await Deno.writeFile(join(entry, name), content, { mode: 0o644 });
    sha256[name] = hashOf(content);
  }
  const manifest: VmGuestManifest = {
    digest,
    kernel: { ...kernel, release },
    sha256,
    modules: modules.map(({ name }) => name),
    optionsFrom: kernelOptions.source ?? null,
    unchecked: kernelOptions.unchecked,
    createdAt: new Date().toISOString(),
  };
  await Deno.writeTextFile(join(entry, "manifest.json"), JSON.stringify(manifest, null, 2) + "\n");
  await completeEntry(entry, join(dir, digest));
  report(100, "the guest of virtual machines is ready");
  return (await findGuest([dir], digest))!;
}

/** What is built already, newest first, without building anything; for `doctor`. */
export async function findVmGuest(options: { dataDir: string }): Promise<VmGuest | undefined> {
  return await newestGuest(
    [...new Set([options.dataDir, defaultDataDir])].map((dir) => join(dir, "vm")),
  );
}

async function chooseKernel(path: string | undefined, signal?: AbortSignal) {
  return path === undefined ? await findDebianKernel(signal) : await chooseKernelFile(path);
}

function takeApart(image: Uint8Array, kernel: KernelChoice) {
  try {
    if (image[0] === 0x7f) {
      checkVmlinux(image);
      return { vmlinux: image, release: elfRelease(image) };
    }
    return { bzImage: image, vmlinux: carveVmlinux(image), release: bzImageRelease(image) };
  } catch (error) {
    const name = kernel.source === "debian" ? kernel.package : kernel.path;
    throw new ImageBuildError(`${name}: ${(error as Error).message}`, { subject, cause: error });
  }
}

function elfRelease(vmlinux: Uint8Array): string {
  const text = new TextDecoder("latin1").decode(vmlinux);
  const release = /Linux version (\S+) \(/.exec(text)?.[1];
  if (!release) throw new Error("the kernel does not say its version");
  return release;
}

async function readPrograms() {
  const folder = fileURLToPath(new URL("guest/", import.meta.url));
  const [init, secondStage, volumes, busybox] = await Promise.all([
    Deno.readFile(join(folder, "init")),
    Deno.readFile(join(folder, "second_stage")),
    Deno.readFile(join(folder, "volumes")),
    readBusybox(),
  ]);
  return { init, secondStage, volumes, busybox };
}

async function readBusybox(): Promise<Uint8Array> {
  try {
    const program = await Deno.readFile(busyboxPath);
    // The guest has no libraries when it starts.
    const beginning = new TextDecoder("latin1").decode(program.subarray(0, 4_096));
    if (beginning.includes("/ld-")) throw new Error("it is not linked statically");
    return program;
  } catch (cause) {
    throw new ImageBuildError(`${busyboxPath}: ${(cause as Error).message}`, {
      subject,
      cause,
      hint: "Install busybox-static: npm run setup -- --tests does.",
    });
  }
}

async function findGuest(stores: string[], digest: string): Promise<VmGuest | undefined> {
  for (const dir of stores) {
    const entry = join(dir, digest);
    const manifest = await readManifest<VmGuestManifest>(entry);
    if (!manifest) continue;
    return {
      digest,
      ...("bzImage" in manifest.sha256 ? { bzImage: join(entry, "bzImage") } : {}),
      vmlinux: join(entry, "vmlinux"),
      initramfs: join(entry, "initramfs"),
      manifest,
    };
  }
}

async function newestGuest(stores: string[]): Promise<VmGuest | undefined> {
  const guests: VmGuest[] = [];
  for (const dir of stores) {
    const names = await Array.fromAsync(Deno.readDir(dir)).catch(() => []);
    for (const { name } of names) {
      const guest = name.startsWith(".") ? undefined : await findGuest([dir], name);
      if (guest) guests.push(guest);
    }
  }
  return guests.sort((a, b) => b.manifest.createdAt.localeCompare(a.manifest.createdAt))[0];
}

async function removeIfPresent(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

function digestOf(inputs: unknown): string {
  return hashOf(new TextEncoder().encode(JSON.stringify(inputs))).slice(0, 32);
}

function hashOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

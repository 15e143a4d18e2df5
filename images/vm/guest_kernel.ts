import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { runChild } from "../run_child.ts";
import { ImageBuildError } from "../image_build_error.ts";

const subject = "The guest of virtual machines";
const cloudKernel = "linux-image-cloud-amd64";
const timeoutMs = 10 * 60_000;

/** Which kernel the guest boots; part of what the built guest is named after. */
export type KernelChoice =
  | { source: "debian"; package: string; version: string; sha256: string }
  | { source: "file"; path: string; sha256: string };

/** Debian's cloud kernel as apt knows it now, or undefined when apt knows none. */
export async function findDebianKernel(signal?: AbortSignal): Promise<KernelChoice | undefined> {
  // The newest of all suites that apt knows: on Debian 12 that is the one of its backports.
  const names = await aptShow(cloudKernel, signal);
  for (const record of names.sort((a, b) => compareVersions(b.Version, a.Version))) {
    const name = /(linux-image-\d[^ ,(]*)(?: \(= ([^)]*)\))?/.exec(record.Depends ?? "");
    if (!name) continue;
    const found = (await aptShow(name[1], signal)).find(({ Version }) =>
      name[2] === undefined || Version === name[2]
    );
    if (!found?.SHA256) continue;
    const { Version: version, SHA256: sha256 } = found;
    return { source: "debian", package: name[1], version, sha256 };
  }
}

export async function chooseKernelFile(path: string): Promise<KernelChoice> {
  const sha256 = createHash("sha256").update(await readKernel(path)).digest("hex");
  return { source: "file", path, sha256 };
}

export interface UnpackedKernel {
  image: Uint8Array;
  /** Where it lies, and its configuration perhaps beside it. */
  directory: string;
  /** Where modules of this kernel may be: its /lib/modules/<release>. */
  modulesDir(release: string): string;
}

/** Puts the kernel and its modules into `into`, an empty directory; nothing is installed on the host. */
export async function unpackKernel(
  choice: KernelChoice,
  into: string,
  signal?: AbortSignal,
): Promise<UnpackedKernel> {
  if (choice.source === "file") {
    const beside = join(dirname(choice.path), "modules");
    return {
      image: await readKernel(choice.path),
      directory: dirname(choice.path),
      modulesDir: (release) => exists(beside) ? beside : `/lib/modules/${release}`,
    };
  }
  const wanted = `${choice.package}=${choice.version}`;
  const options = { cwd: into, timeoutMs, signal, subject };
  await runChild(
    ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", wanted],
    {
      ...options,
      hint: "Is the Debian mirror reachable? `apt-get update` brings apt's lists up to date.",
    },
  );
  const [archive] = [...Deno.readDirSync(into)].filter(({ name }) => name.endsWith(".deb"));
  const sha256 = createHash("sha256").update(await Deno.readFile(join(into, archive.name)));
  if (sha256.digest("hex") !== choice.sha256) {
    throw new ImageBuildError(`${archive.name} is not what apt's lists name`, { subject });
  }
  await runChild(["dpkg-deb", "-x", archive.name, "kernel"], options);
  const boot = join(into, "kernel/boot");
  const image = [...Deno.readDirSync(boot)].find(({ name }) => name.startsWith("vmlinuz-"));
  if (!image) throw new ImageBuildError(`${archive.name} has no kernel in it`, { subject });
  const roots = ["lib/modules", "usr/lib/modules"].map((path) => join(into, "kernel", path));
  return {
    image: await Deno.readFile(join(boot, image.name)),
    directory: boot,
    modulesDir: (release) => join(roots.find(exists) ?? roots[0], release),
  };
}

type AptRecord = { Version: string; Depends?: string; SHA256?: string };

async function aptShow(name: string, signal?: AbortSignal): Promise<AptRecord[]> {
  const records: AptRecord[] = [];
  let record: Record<string, string> = {};
  const take = (line: string) => {
    const field = /^([A-Za-z0-9-]+): (.*)$/.exec(line);
    if (!field) return;
    if (field[1] === "Package") records.push(record = {} as AptRecord & Record<string, string>);
    record[field[1]] = field[2];
  };
  try {
    await runChild(["apt-cache", "show", name], { timeoutMs: 60_000, signal, onLine: take });
  } catch (error) {
    if (signal?.aborted) throw error;
    // apt knows no such package, or there is no apt.
    return [];
  }
  return records.filter(({ Version }) => Version !== undefined);
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

async function readKernel(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    throw new ImageBuildError(`the kernel ${basename(path)} cannot be read: ${cause}`, {
      subject,
      cause,
      hint: "Set vm.kernel to the path of a Linux kernel, or leave it out for Debian's.",
    });
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== undefined;
  } catch {
    return false;
  }
}

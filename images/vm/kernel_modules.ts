import { join } from "node:path";
import { runChild } from "../run_child.ts";
import { ImageBuildError } from "../image_build_error.ts";

/** What the guest needs of a kernel before its root filesystem is there, unless it is built in. */
const needed = [
  "virtio_mmio",
  "virtio_blk",
  "virtio_net",
  "virtio_balloon",
  "virtio_rng",
  "erofs",
  "overlay",
  "ext4",
];

export interface KernelModule {
  name: string;
  content: Uint8Array;
}

/**
 * The needed modules in the order in which they load, each after those it depends on. What the kernel
 * has built in is left out; what it has neither way is an error.
 */
export async function findModules(
  modulesDir: string,
  signal?: AbortSignal,
): Promise<KernelModule[]> {
  const files = new Map<string, string>();
  for await (const path of walk(modulesDir)) {
    const name = /([^/]+)\.ko(\.xz|\.zst|\.gz)?$/.exec(path)?.[1];
    if (name) files.set(canonical(name), path);
  }
  const builtIn = new Set(
    (await readIfPresent(join(modulesDir, "modules.builtin"))).split("\n").filter(Boolean)
      .map((path) => canonical(path.replace(/^.*\//, "").replace(/\.ko$/, ""))),
  );
  const modules: KernelModule[] = [];
  const add = async (name: string) => {
    if (modules.some((module) => module.name === name) || builtIn.has(name)) return;
    const path = files.get(name);
    if (!path) {
      throw new ImageBuildError(`the kernel in ${modulesDir} has no ${name}`, {
        subject: "The guest of virtual machines",
      });
    }
    const content = await readModule(path, signal);
    for (const dependency of dependencies(content)) await add(dependency);
    modules.push({ name, content });
  };
  for (const name of needed) await add(name);
  return modules;
}

/** Names of what a module depends on, from the text that its build leaves in it. */
export function dependencies(module: Uint8Array): string[] {
  const text = new TextDecoder("latin1").decode(module);
  const found = /\0depends=([^\0]*)\0/.exec(text)?.[1] ?? "";
  return found.split(",").filter(Boolean).map(canonical);
}

/** Files are named with either; the kernel knows one. */
function canonical(name: string): string {
  return name.replaceAll("-", "_");
}

const unpackers: Record<string, string> = { xz: "xz", zst: "zstd", gz: "gzip" };

async function readModule(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  const unpacker = unpackers[path.slice(path.lastIndexOf(".") + 1)];
  if (!unpacker) return await Deno.readFile(path);
  const dir = await Deno.makeTempDir({ prefix: "paddock-module-" });
  try {
    const script = `exec "$0" -dc "$1" > "$2"`;
    const argv = ["sh", "-c", script, unpacker, path, join(dir, "module")];
    await runChild(argv, { timeoutMs: 60_000, signal });
    return await Deno.readFile(join(dir, "module"));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function* walk(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* walk(path);
    else if (entry.isFile) yield path;
  }
}

async function readIfPresent(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  });
}
